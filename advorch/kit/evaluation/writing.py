"""Findings as folders: tables as JSON and CSV, a page with its figures."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from advorch.artifacts import FORMAT
from advorch.kit.codecs import write_json
from advorch.kit.evaluation.findings import Findings, Table, unique_slugs
from advorch.kit.evaluation.report import headline, render

_GIF = b"GIF8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What stands above the findings, and what they are about: models and generators by label, each with its digest."""

    component: str
    introduction: Sequence[str]
    models: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The component's name as a heading."""
        return self.component.partition("/")[2].replace("-", " ").capitalize()


def write_tables(folder: Path, findings: Findings) -> None:
    """Each table as JSON and CSV under its slug; the first is also `table.json` and `table.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, (name, title) in enumerate(zip(unique_slugs(list(findings.tables)), findings.tables, strict=True)):
        for stem in ("table", name) if place == 0 else (name,):
            _write_table(folder / stem, title, findings.tables[title])


def _write_table(stem: Path, title: str, table: Table) -> None:
    record = {"columns": list(table.columns), "rows": [list(row) for row in table.rows], "caption": table.caption}
    write_json(stem.with_suffix(".json"), {"format": f"table/{FORMAT}", "title": title, **record})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    stem.with_suffix(".csv").write_text(text.getvalue(), encoding="utf-8")


def write_report(folder: Path, page: Page, findings: Findings) -> None:
    """`report.html`, every figure as a file of its own, and what the page says as `findings.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = findings.pictures()
    for name, picture in zip(unique_slugs(list(pictures)), pictures.values(), strict=True):
        (folder / f"{name}.{'gif' if picture.startswith(_GIF) else 'png'}").write_bytes(picture)
    text = render(
        page.title,
        kind=page.component,
        introduction=page.introduction,
        notes=findings.notes,
        tables=findings.tables,
        pictures=pictures,
    )
    (folder / "report.html").write_text(text, encoding="utf-8")
    record = {
        "metrics": dict(findings.metrics),
        "notes": list(findings.notes),
        "models": dict(page.models),
        "headline": next((headline(table) for table in findings.tables.values()), None),
    }
    write_json(folder / "findings.json", {"format": f"report/{FORMAT}", "component": page.component, **record})
