"""What ships with advorch: ports, threat models and parameters, as the components declare them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from advorch.cli.reference.markdown import code, heading, link, listed, table
from advorch.components import AnyComponent, Attack, Dataset, Port, StageComponent
from advorch.params import Params
from advorch.registry.describe import rows_of
from advorch.registry.registry import Registry
from advorch.threat import span

OURS = "advorch"
COLUMNS = ("parameter", "type", "default", "bounds", "")


def chapters(registry: Registry) -> str:
    """One chapter a kind, the settings that all of its stages share first."""
    found = [registry.component(id) for id in registry.ids() if registry.owner(id).distribution == OURS]
    kinds = [(kind, list(group)) for kind, group in groupby(found, key=lambda component: component.kind)]
    return "".join(_chapter(kind, components) for kind, components in sorted(kinds, key=_rank))


def _rank(chapter: tuple[str, Sequence[AnyComponent]]) -> tuple[bool, str]:
    kind, components = chapter
    return (not isinstance(components[0], StageComponent), kind)


def _chapter(kind: str, components: Sequence[AnyComponent]) -> str:
    settings = list(_settings(components))
    text = heading(2, _kind_title(kind)) + table(
        ("component", ""), [[link(item.id, item.id), item.summary] for item in components]
    )
    for name, params in settings:
        text += heading(3, name) + table(COLUMNS, _rows(params))
    return text + "".join(_component(component) for component in components)


def _kind_title(kind: str) -> str:
    return f"Components: {kind}"


def _settings(components: Sequence[AnyComponent]) -> Iterator[tuple[str, type[Params]]]:
    """What hosts add, once for each that differs."""
    kind = components[0].kind
    hosts = dict.fromkeys(item.host_settings for item in components if item.host_settings is not Params)
    for host in hosts:
        yield f"Every {kind} stage" if len(hosts) == 1 else f"Every {kind} stage with {host.__name__}", host
    nested = dict.fromkeys(item.nested_settings for item in components if item.nested_settings is not Params)
    for inner in nested:
        yield f"An {kind} named inside another component", inner


def _component(component: AnyComponent) -> str:
    facts = "".join(f"- {name}: {value}\n" for name, value in _facts(component).items() if value)
    rows = _rows(component.params)
    return (
        heading(3, component.id) + f"{_sentence(component.summary)}\n\n" + facts
        + (("\n" if facts else "") + table(COLUMNS, rows) if rows else "")
    )  # fmt: skip


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _facts(component: AnyComponent) -> dict[str, str]:
    if isinstance(component, Attack):
        threat = component.threat
        return {
            "needs": f"{threat.access.value} of the model"
            if threat.access.value != "nothing"
            else "nothing of the model",
            "norms": listed(sorted(threat.norms)),
            "goals": listed(sorted(threat.goals)),
            "budget": f"{threat.budget.value}{', stochastic' if threat.stochastic else ''}",
            **_ports(component),
        }
    if isinstance(component, StageComponent):
        return _ports(component)
    if isinstance(component, Dataset):
        box = "{:g} to {:g}".format(*span(component.box)) if component.box else "unbounded"
        return {"splits": listed(component.splits), "values": box}
    return {}


def _ports(component: StageComponent[Any, Any]) -> dict[str, str]:
    return {
        "reads": _named(component.inputs()),
        "hands on": _named(component.outputs()),
        "metrics": listed(sorted(component.metrics)),
        "counts time in": code(component.time) if component.time else "",
    }


def _named(ports: Mapping[str, Port]) -> str:
    return ", ".join(f"{code(name)} ({_port(port)})" for name, port in ports.items())


def _port(port: Port) -> str:
    return " ".join([*(["many"] if port.many else []), *(["optional"] if port.optional else []), port.type.value])


def _rows(params: type[Params]) -> list[list[str]]:
    return [
        [code(row["name"]), row["type"], _default(row), row["bounds"], row["description"]] for row in rows_of(params)
    ]


def _default(row: Mapping[str, Any]) -> str:
    if row["required"]:
        return "required"
    value = row["default"]
    if value is None:
        return "none"
    if isinstance(value, bool):
        return code(str(value).lower())
    return code(f"[{', '.join(map(str, value))}]" if isinstance(value, list | tuple) else value) if value != "" else ""
