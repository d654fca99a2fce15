"""The keys of a file, from the table that checks them."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from types import MappingProxyType
from typing import Any

from advorch.cli.reference import words
from advorch.cli.reference.markdown import code, heading, link, listed, table
from advorch.spec.kinds import (
    Choice,
    Computed,
    Condition,
    Constraint,
    Duration,
    Flag,
    Number,
    Settled,
    Size,
    Text,
    ValueKind,
    Version,
)
from advorch.spec.pipeline import ResourceSpec, RetrySpec, StageSpec, TrackingSpec
from advorch.spec.shape import SECTIONS, Either, Free, ListOf, Section, Shape
from advorch.spec.tuning import Refit, Scheduler, Search, Tuning

DEFAULTS: Mapping[str, type[Any]] = MappingProxyType(
    {
        "resources": ResourceSpec,
        "retry": RetrySpec,
        "stage": StageSpec,
        "mlflow": TrackingSpec,
        "search": Search,
        "scheduler": Scheduler,
        "refit": Refit,
        "promote": Tuning,
    }
)


def title(section: str) -> str:
    """The heading of a section."""
    return f"`{section}`"


def sections() -> str:
    """Every section in the order of the table."""
    return "".join(_section(name, section) for name, section in SECTIONS.items())


def _section(name: str, section: Section) -> str:
    rows = [_row(name, section, key, shape) for key, shape in section.fields.items()]
    if section.rest is not None:
        rows.append([_names(section), _takes(section.rest), "", _open(section.rest), "a name of your choice"])
    return (
        heading(3, title(name)) + words.SECTIONS[name] + "\n\n" + table(("key", "takes", "default", "`${}`", ""), rows)
    )


def _row(name: str, section: Section, key: str, shape: Shape) -> list[str]:
    default = "required" if key in section.required else _default(name, key)
    return [code(key), _takes(shape), default, _open(shape), words.KEYS[name][key]]


def _default(section: str, key: str) -> str:
    """What the typed specification has where the file is silent."""
    found = (
        {field.name.removesuffix("_"): field.default for field in fields(DEFAULTS[section])}
        if section in DEFAULTS
        else {}
    )
    value = found.get(key, MISSING)
    if value is MISSING or value is None or value in ("", ()):
        return ""
    if isinstance(value, bool):
        return code(str(value).lower())
    if isinstance(value, tuple) and all(isinstance(item, str) for item in value):
        return listed(value)
    if isinstance(value, int | float):
        return code(f"{value:g}{'s' if key in ('delay', 'longest') else ''}")
    return code(value) if isinstance(value, str) else ""


def _names(section: Section) -> str:
    return section.rest_name.what if section.rest_name else "any key"


def _takes(shape: Shape) -> str:
    """What may stand there, in words."""
    if isinstance(shape, str):
        return link(shape, title(shape))
    match shape:
        case Section():
            return _map(shape)
        case ListOf():
            return _list(shape)
        case Free():
            return "parameters of the component" if shape.component else "anything"
        case Either():
            options = [option for option in (shape.value, shape.list, shape.map) if option is not None]
            return ", or ".join(_takes(option) for option in options)
        case _:
            return _value(shape)


def _list(shape: ListOf) -> str:
    """`[a number, ...]`, and where it may stand alone `a number, or several`."""
    return f"{_takes(shape.item)}, or a list" if shape.lone else f"a list: {_takes(shape.item)} each"


def _map(section: Section) -> str:
    known = listed(section.fields) if section.fields else ""
    further = f"by name: {_takes(section.rest)}" if section.rest is not None else ""
    return "; ".join(filter(None, [known, further]))


def _value(kind: ValueKind) -> str:
    match kind:
        case Text():
            return kind.what
        case Number():
            return _number(kind)
        case Choice():
            return " or ".join(map(code, kind.words))
        case Version():
            return code(kind.known)
        case Computed():
            return f"{kind.what} as one `${{}}`"
        case _:
            return _SIMPLE[type(kind)]


_SIMPLE: Mapping[type, str] = MappingProxyType(
    {
        Flag: "`true` or `false`",
        Duration: "a duration",
        Size: "a size",
        Condition: "`true`, `false` or one `${}`",
        Constraint: "a condition, with or without `${}`",
    }
)


def _number(kind: Number) -> str:
    what = "a whole number" if kind.whole else "a number"
    bounds = ((kind.least, "from {:g} on"), (kind.above, "above {:g}"), (kind.most, "to {:g}"))
    return " ".join([what, *(text.format(bound) for bound, text in bounds if bound is not None)])


_SETTLED: Mapping[Settled, str] = MappingProxyType(
    {Settled.NEVER: "no", Settled.LOADING: "`params`, `env`", Settled.LATER: "yes"}
)


def _open(shape: Shape) -> str:
    """When a `${...}` there is answered; of maps their own tables tell."""
    if isinstance(shape, str | Section):
        return ""
    if isinstance(shape, Free):
        return "yes"
    if isinstance(shape, ListOf):
        return _open(shape.item)
    if isinstance(shape, Either):
        return next((_open(option) for option in (shape.value, shape.list) if option is not None), "")
    return _SETTLED[shape.settled]
