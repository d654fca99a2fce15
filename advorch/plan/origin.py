"""Where every final value of a plan came from, and whose code will use it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from advorch.artifacts import DataInput
from advorch.canonical import Json
from advorch.components import Dataset, Shape
from advorch.plan.complaints import Path, dotted, has_step
from advorch.plan.plan import Plan
from advorch.registry.registry import Registry
from advorch.spec.interpolate import names
from advorch.spec.nodes import ListNode, MapNode, Mark, Node, Scalar

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
    return [
        Origin(cell=address, parameter=dotted(path), value=value, origin=_place(plan, address, path))
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


def _place(plan: Plan, address: str, path: Path) -> str:
    """Where a value stands, and behind it where the parameters stand that it was made of."""
    written = plan.origin(address)
    mark = written.mark(path) if path and _is_set(written.value, path) else None
    if mark is None:
        return DEFAULT
    return ", ".join([_line(mark), *_read_parameters(plan, _node(plan.written(address), path))])


def _line(mark: Mark) -> str:
    return f"{mark.source.name}:{mark.line}"


def _read_parameters(plan: Plan, node: Node | None) -> Iterator[str]:
    """The pipeline's parameters that a value reads, each with its own place: a profile or `-S` may have set it."""
    for name in names(node) if isinstance(node, Scalar) else ():
        known = plan.spec.params.get(name[1]) if name[0] == "params" and len(name) > 1 else None
        if known:
            yield f"{'.'.join(name)} from {_line(known.mark)}"


def _node(node: Node | None, path: Path) -> Node | None:
    """The node at a path, or the scalar on the way whose expression stands for all of it."""
    for step in path:
        if isinstance(node, MapNode):
            node = node.get(str(step))
        elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
    return node


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
    if cell.component.shape is not Shape.SWEEP:
        yield cell.component.id
    yield from plan.nested(address)
    for sources in cell.inputs.values():
        for source in sources:
            if isinstance(source, DataInput):
                yield f"{Dataset.family}/{source.uses}"
