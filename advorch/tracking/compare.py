"""Runs side by side: one row a cell and metric."""

from collections.abc import Iterable, Sequence
from typing import Any

from advorch.tracking.names import flat
from advorch.tracking.runs import RunRecord


def compare(records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Every final metric in any of the runs; `difference` is the last run that has it less the first that has it.

    What happened inside sweeps is left out: the same number stands for other values in another search.
    """
    cells = _in_order(cell for record in records for cell in record.own)
    return [row for cell in cells for row in _rows(cell, records)]


def _rows(cell: str, records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    found = [record.cells[cell].metrics if cell in record.cells else {} for record in records]
    rows = []
    for metric in _in_order(name for metrics in found for name in metrics):
        values = [metrics.get(metric) for metrics in found]
        known = [value for value in values if value is not None]
        columns = {record.run: value for record, value in zip(records, values, strict=True)}
        difference = known[-1] - known[0] if len(known) > 1 else None
        rows.append({"cell": cell, "metric": metric, **columns, "difference": difference})
    return rows


def compare_params(records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """The parameters that are not the same in all of the runs that have the cell."""
    rows = []
    for cell in _in_order(cell for record in records for cell in record.own):
        for name, values in _settings(cell, records).items():
            if len({repr(value) for value in values}) > 1:
                columns = {record.run: value for record, value in zip(records, values, strict=True)}
                rows.append({"cell": cell, "parameter": name, **columns})
    return rows


def _settings(cell: str, records: Sequence[RunRecord]) -> dict[str, list[str | None]]:
    found = [flat(record.cells[cell].params) if cell in record.cells else {} for record in records]
    if not all(found):
        return {}  # a cached cell may not say what its parameters were
    names = _in_order(name for params in found for name in params)
    return {name: [params.get(name) for params in found] for name in names}


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
