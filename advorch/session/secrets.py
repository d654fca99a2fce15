"""The secrets that a plan speaks of, by name; their values are read where a stage runs, and nowhere else."""

from collections.abc import Iterator, Mapping, Sequence

from advorch.artifacts import DataInput
from advorch.canonical import Json
from advorch.plan.cells import Cell
from advorch.plan.plan import Plan


def secrets_of(plan: Plan) -> tuple[str, ...]:
    """Every name under which a cell that may run will ask for a secret."""
    found: set[str] = set()
    for cell in cells_at_work(plan):
        found.update(_named(cell.params))
        data = (source for sources in cell.inputs.values() for source in sources if isinstance(source, DataInput))
        found.update(name for item in data for name in _named(item.params))
    return tuple(sorted(found))


def cells_at_work(plan: Plan) -> Iterator[Cell]:
    """The cells that may run, a sweep's by those of one trial."""
    return (cell for address in plan.cells if address not in plan.reuse for cell in plan.inside(address))


def _named(value: Json) -> Iterator[str]:
    """The names in a value: a map with the one key `secret` is one."""
    if isinstance(value, Mapping):
        if set(value) == {"secret"} and isinstance(value["secret"], str):
            yield value["secret"]
        else:
            yield from (name for item in value.values() for name in _named(item))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield from (name for item in value for name in _named(item))
