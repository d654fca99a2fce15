"""One self-contained HTML page: no links, no scripts, no hosts; every text from outside is escaped."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from advorch.kit.evaluation.findings import Table, Value, unique_slugs

_TEMPLATE = Path(__file__).with_name("report.html.j2")


def render(
    title: str,
    *,
    introduction: Sequence[str] = (),
    notes: Sequence[str] = (),
    tables: Mapping[str, Table] | None = None,
    pictures: Mapping[str, bytes] | None = None,
) -> str:
    """The page; equal arguments give equal text."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["shown"] = shown
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        title=title,
        introduction=introduction,
        notes=notes,
        sections=_sections(tables or {}),
        pictures=[{"title": name, "data": _encoded(image)} for name, image in (pictures or {}).items()],
    )


def shown(value: Value) -> str:
    """A value as a reader wants it: four digits after the point, nothing where nothing was measured."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _sections(tables: Mapping[str, Table]) -> list[dict[str, Any]]:
    ids = unique_slugs([f"table {title}" for title in tables], "-")
    return [
        {"id": name, "title": title, "table": table, "numeric": _numeric(table)}
        for name, (title, table) in zip(ids, tables.items(), strict=True)
    ]


def _numeric(table: Table) -> list[bool]:
    columns = [[row[index] for row in table.rows] for index in range(len(table.columns))]
    return [all(value is None or isinstance(value, int | float) for value in values) for values in columns]


def _encoded(image: bytes) -> str:
    return base64.b64encode(image).decode("ascii")
