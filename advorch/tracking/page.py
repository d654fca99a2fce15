"""A run as one HTML page that needs nothing but itself and the files beside it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from advorch.tracking.lines import duration
from advorch.tracking.runs import CellRecord, RunRecord
from advorch.tracking.trial_rows import sweep_rows

if TYPE_CHECKING:
    from markupsafe import Markup

HEADLINES = ("clean_accuracy", "robust_accuracy", "worst_class_accuracy", "success_rate")

_TEMPLATE = Path(__file__).with_name("page.html.j2")


@dataclass(frozen=True, slots=True)
class Link:
    """A file of a cell, relative to the page."""

    cell: str
    name: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What an evaluation says on top: its report, its first table, and which stage made each model in it.

    A value of the table is its text and its interval, which may be empty.
    """

    cell: str
    href: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[tuple[str, str], ...], ...] = ()
    notes: tuple[str, ...] = ()
    stages: Mapping[str, str] = field(default_factory=dict)


def render_page(
    record: RunRecord, links: Sequence[Link], params: Mapping[str, str], findings: Sequence[Finding] = ()
) -> str:
    """The page's text; everything that comes from the run is escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["breakable"] = breakable
    cells = record.own.values()
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        record=record,
        links=links,
        params=params,
        findings=findings,
        cells=cells,
        sweeps=sweep_rows(record),
        headlines=[name for name in HEADLINES if any(name in cell.metrics for cell in cells)],
        metrics=[(cell.cell, name, value) for cell in cells for name, value in cell.metrics.items()],
        tally=", ".join(f"{count} {status}" for status, count in record.counts().items()) or "no cells",
        started=time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.started)),
        duration=duration,
        remarks=remarks,
    )


def breakable(address: str) -> "Markup":
    """An address that a narrow window may break where its parts begin."""
    from markupsafe import Markup, escape

    return Markup(str(escape(address)).replace("[", "<wbr>[").replace(",", ",<wbr>"))  # noqa: S704


def remarks(cell: CellRecord) -> list[str]:
    """What must be said of a cell besides its numbers."""
    missing = f"without {', '.join(cell.missing)}, which did not succeed" if cell.missing else ""
    return [words for words in (cell.message, missing) if words]


def stages_of(record: RunRecord, models: Mapping[str, str]) -> dict[str, str]:
    """For each label in a report the cells of this run whose output has its digest; equal cells made it together."""
    makers: dict[str, list[str]] = {}
    for cell in record.own.values():
        for digest in cell.outputs.values():
            makers.setdefault(digest, []).append(cell.cell)
    return {label: " = ".join(makers[digest]) for label, digest in models.items() if digest in makers}
