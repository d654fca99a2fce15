"""A table as a page shows it: intervals beside their values, shares in per cent, equal first cells as one."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from advorch.kit.evaluation.findings import Table, Value

NOTHING = "–"  # noqa: RUF001


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What stands in one cell; a span of zero is covered by the cell above."""

    text: str
    interval: str = ""
    span: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Headings, whether each is of numbers, and the cells."""

    caption: str
    headings: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]
    folded: bool


def layout(table: Table) -> Layout:
    """What is shown of a table."""
    names = _shown_columns(table)
    columns = [_cells(table, name) for name in names]
    numeric = tuple(_is_numeric(table.column(name)) for name in names)
    if columns and not numeric[0]:
        columns[0] = _joined(columns[0])
    return Layout(
        caption=table.caption,
        headings=tuple(names),
        numeric=numeric,
        rows=tuple(zip(*columns, strict=True)),
        folded=table.look.folded,
    )


def shown(value: Value) -> str:
    """A value as a reader wants it: four digits after the point, a dash where nothing was measured."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"


def per_cent(value: Value) -> str:
    """A share with one digit after the point."""
    return shown(value) if value is None or isinstance(value, str) else f"{100 * value:.1f}%"


def _shown_columns(table: Table) -> list[str]:
    bounds = {name for _, *names in table.look.intervals for name in names}
    usual = {name for name, value in table.look.usual if set(table.column(name)) <= {value, None}}
    return [name for name in table.columns if name not in bounds | usual]


def _cells(table: Table, name: str) -> list[Cell]:
    write: Callable[[Value], str] = per_cent if name in table.look.shares else shown
    bounds = next(((low, high) for value, low, high in table.look.intervals if value == name), None)
    values = table.column(name)
    if not bounds:
        return [Cell(text=write(value)) for value in values]
    ends = zip(values, *(table.column(bound) for bound in bounds), strict=True)
    return [Cell(text=write(value), interval=_interval(write, low, high)) for value, low, high in ends]


def _interval(write: Callable[[Value], str], low: Value, high: Value) -> str:
    """`19.1 to 27.7`: the unit stands beside the value."""
    return "" if low is None or high is None else f"{write(low).rstrip('%')} to {write(high).rstrip('%')}"


def _joined(cells: Sequence[Cell]) -> list[Cell]:
    """Neighbours of one text as one tall cell and empty ones below it."""
    runs = [list(group) for _, group in itertools.groupby(cells, key=lambda cell: cell.text)]
    return [Cell(text=cell.text, span=len(run) if place == 0 else 0) for run in runs for place, cell in enumerate(run)]


def _is_numeric(values: Sequence[Value]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
