"""Turns what pydantic says of a parameter into one clear sentence with a hint."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from advorch.spec.scalars import shown
from advorch.spec.suggest import closest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]
Suggest = Callable[[str, Iterable[str]], str]

_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?(e[-+]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_QUOTED = re.compile(r"'([^']*)'")
_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "set_type": "a list of different values",
    "frozen_set_type": "a list of different values",
    "dict_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
    "none_required": "null",
}
_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
    "multiple_of": ("multiple_of", "a multiple of"),
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """One sentence about the value at a path of the parameters.

    `on_key` when the key itself is wrong, `on_component` when the name of the component is that takes them.
    """

    path: Path
    message: str
    hint: str = ""
    on_key: bool = False
    on_component: bool = False

    def below(self, prefix: Path) -> "Complaint":
        """The same, seen from parameters that hold these at a path."""
        return replace(self, path=(*prefix, *self.path))


def complaints(
    errors: Sequence["ErrorDetails"], schema: type[BaseModel], values: Mapping[str, Any], owner: str, suggest: Suggest
) -> list[Complaint]:
    """One complaint a value: what the branches of a union say of the same value becomes one sentence."""
    grouped: dict[Path, list[ErrorDetails]] = {}
    for error in errors:
        grouped.setdefault(_real_path(error, values), []).append(error)
    told = [path for path, group in grouped.items() if not _other_branch(path, group, grouped)]
    told = [path for path in told if not _misspelt(path, grouped)]
    return [_complaint(path, grouped[path], schema, owner, suggest) for path in told]


def _other_branch(path: Path, group: list["ErrorDetails"], grouped: Mapping[Path, object]) -> bool:
    """Whether a union's other branch got further into this value, and so is the one that was meant."""
    deeper = any(len(other) > len(path) and other[: len(path)] == path for other in grouped)
    return deeper and all(len(error["loc"]) > len(path) for error in group)


def _misspelt(path: Path, grouped: Mapping[Path, list["ErrorDetails"]]) -> bool:
    """Whether what is missing stands beside it under a name that will be corrected to it."""
    if not path or grouped[path][0]["type"] != "missing":
        return False
    beside = [
        str(other[-1])
        for other, group in grouped.items()
        if other[:-1] == path[:-1] and group[0]["type"] == "extra_forbidden"
    ]
    return bool(closest(str(path[-1]), beside))


def _real_path(error: "ErrorDetails", values: Any) -> Path:
    """The location without the union branches that pydantic puts in; the last step may name what is missing."""
    path: list[str | int] = []
    *steps, last = error["loc"] or ("",)
    for step in (*steps, last):
        if not has_step(values, step):
            if error["type"] == "missing" and step == last:
                path.append(step)
            continue
        path.append(step)
        values = values[step]
    return tuple(path)


def has_step(values: Any, step: str | int) -> bool:
    """Whether a step leads further into plain values."""
    if isinstance(values, Mapping):
        return step in values
    return isinstance(values, Sequence) and not isinstance(values, str) and isinstance(step, int) and step < len(values)


def _complaint(
    path: Path, group: list["ErrorDetails"], schema: type[BaseModel], owner: str, suggest: Suggest
) -> Complaint:
    error, name = group[0], f"'{dotted(path)}' of {owner}" if path else f"'with' of {owner}"
    if error["type"] == "extra_forbidden":
        allowed = file_names(_schema_at(schema, path[:-1]))
        return Complaint(
            path, f"{owner} has no parameter '{dotted(path)}'", suggest(str(path[-1]), allowed), on_key=True
        )
    if error["type"] == "missing" and isinstance(path[-1], int):
        whole = f"'{dotted(path[:-1])}' of {owner}"
        return Complaint(path[:-1], f"{whole} lacks its value number {path[-1] + 1}", _describe(schema, path[:-1]))
    if error["type"] == "missing":
        message = f"{owner} needs the parameter '{dotted(path)}'"
        return Complaint(path[:-1], message, _describe(schema, path), on_key=True)
    if all(item["type"] in _EXPECTED for item in group):
        wanted = " or ".join(dict.fromkeys(_EXPECTED[item["type"]] for item in group))
        told = _rewritten(error["input"], wanted, _schema_at(schema, path)) or _describe(schema, path)
        return Complaint(path, f"{name} takes {wanted}, not {shown(error['input'])}", told)
    return _refused(path, name, next(item for item in group if item["type"] not in _EXPECTED), suggest)


def _rewritten(value: object, wanted: str, nested: type[BaseModel] | None) -> str:
    """How a text is written that was meant for something else."""
    if not isinstance(value, str):
        return ""
    if "number" in wanted and _NUMBER.fullmatch(value):
        return f"without quotes: {value}"
    named = nested is not None and "uses" in nested.model_fields and _WORD.fullmatch(value)
    return f"write {{uses: {value}}}" if named else ""


def _refused(path: Path, name: str, error: "ErrorDetails", suggest: Suggest) -> Complaint:
    """A value of the right type that is not allowed."""
    context = error.get("ctx", {})
    if error["type"] in _BOUNDS:
        key, words = _BOUNDS[error["type"]]
        return Complaint(path, f"{name} must be {words} {context[key]:g}, not {shown(error['input'])}")
    if error["type"] in ("too_long", "too_short"):
        bound, limit = ("most", "max_length") if error["type"] == "too_long" else ("least", "min_length")
        return Complaint(path, f"{name} takes at {bound} {context[limit]} values, not {context['actual_length']}")
    if error["type"] in ("enum", "literal_error"):
        allowed = _QUOTED.findall(str(context.get("expected", "")))
        message = f"{name} cannot be {shown(error['input'])}"
        return Complaint(path, message, suggest(str(error["input"]), allowed) or f"one of {context.get('expected')}")
    if error["type"] == "value_error":
        return Complaint(path, f"{name}: {context['error']}")
    return Complaint(path, f"{name} is not allowed: {error['msg'][:1].lower()}{error['msg'][1:]}")


def dotted(path: Path) -> str:
    """A path as a user would say it: `attack.with.epsilon`, `milestones[1]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def file_names(schema: type[BaseModel] | None) -> list[str]:
    """The parameters of a schema under the names that a file uses."""
    return [field.alias or name for name, field in schema.model_fields.items()] if schema else []


def _schema_at(schema: type[BaseModel] | None, path: Path) -> type[BaseModel] | None:
    """The schema of the map at a path, through nested models; None where the path leaves them."""
    for step in path:
        if isinstance(step, int) or schema is None:
            continue
        field = next((item for name, item in schema.model_fields.items() if step in (name, item.alias)), None)
        schema = _model_in(field.annotation) if field else None
    return schema


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(option) for option in getattr(annotation, "__args__", ()))
    return next((model for model in found if model), None)


def _describe(schema: type[BaseModel], path: Path) -> str:
    holder = _schema_at(schema, path[:-1])
    fields = holder.model_fields.items() if holder and path else ()
    return next((item.description or "" for name, item in fields if path[-1] in (name, item.alias)), "")
