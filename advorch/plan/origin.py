"""Where every final value of a plan came from, and whose code will use it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from advorch.artifacts import DataInput
from advorch.canonical import Json
from advorch.components import Dataset
from advorch.plan.complaints import Path, dotted, has_step
from advorch.plan.plan import Plan
from advorch.registry.registry import Registry
from advorch.spec.nodes import Located

DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One parameter of a cell: its value, and `file:line` of whoever set it."""

    cell: str
    parameter: str
    value: Json
    origin: str


def origins(plan: Plan, address: str) -> list[Origin]:
    """Every leaf of a cell's final parameters; what no file sets is a default."""
    written = plan.origin(address)
    return [
        Origin(cell=address, parameter=dotted(path), value=value, origin=_place(written, path))
        for path, value in leaves(dict(plan.cells[address].params))
    ]


def leaves(value: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Values that hold no others, each with its path; a list of plain values counts as one."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    elif path:
        yield path, value


def _place(written: Located, path: Path) -> str:
    """The mark of the value itself; one inside a value that came as a whole has the place of that whole."""
    for end in range(len(path), 0, -1):
        if path[:end] in written.marks:
            mark = written.marks[path[:end]]
            return f"{mark.source.name}:{mark.line}" if _is_set(written.value, path) else DEFAULT
    return DEFAULT


def _is_set(value: Any, path: Path) -> bool:
    for step in path:
        if not has_step(value, step):
            return False
        value = value[step]
    return True


def owners(plan: Plan, registry: Registry) -> dict[str, list[str]]:
    """The components whose code will run, by the distribution and version that they came in."""
    found: dict[str, set[str]] = {}
    for address in plan.cells:
        for component in _components(plan, address):
            owner = registry.owner(component)
            found.setdefault(f"{owner.distribution} {owner.version}", set()).add(component)
    return {name: sorted(found[name]) for name in sorted(found)}


def _components(plan: Plan, address: str) -> Iterator[str]:
    """A cell's own component, those in its parameters, and the datasets that it reads."""
    cell = plan.cells[address]
    yield cell.component.id
    yield from plan.nested(address)
    for sources in cell.inputs.values():
        for source in sources:
            if isinstance(source, DataInput):
                yield f"{Dataset.family}/{source.uses}"
