"""One self-contained HTML page: no links, no scripts, no hosts; every text from outside is escaped."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from advorch.kit.evaluation.figures import shown_width
from advorch.kit.evaluation.findings import Table, unique_slugs
from advorch.kit.evaluation.report_table import layout

_TEMPLATE = Path(__file__).with_name("report.html.j2")


def render(
    title: str,
    *,
    kind: str = "",
    introduction: Sequence[str] = (),
    notes: Sequence[str] = (),
    tables: Mapping[str, Table] | None = None,
    pictures: Mapping[str, bytes] | None = None,
) -> str:
    """The page: its first table, the notes, the other tables, the figures; equal arguments give equal text."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    sections = _sections(tables or {})
    return template.render(
        title=title,
        kind=kind,
        introduction=introduction,
        notes=notes,
        headline=sections[:1],
        sections=[section for section in sections[1:] if not section["table"].folded],
        folded=[section for section in sections[1:] if section["table"].folded],
        galleries=_galleries(pictures or {}),
    )


def headline(table: Table) -> dict[str, Any]:
    """A table as the page has it, for pages that quote it: each value in words, and its interval."""
    found = layout(table)
    return {
        "columns": list(found.headings),
        "rows": [[[cell.text, cell.interval] for cell in row] for row in found.rows],
    }


def _sections(tables: Mapping[str, Table]) -> list[dict[str, Any]]:
    ids = unique_slugs([f"table {title}" for title in tables], "-")
    named = zip(ids, tables.items(), strict=True)
    return [{"id": name, "title": title, "table": layout(table)} for name, (title, table) in named]


def _galleries(pictures: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Figures under what they are of: `Accuracy by class: erm mlp` stands under `erm mlp`."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for title, image in pictures.items():
        groups.setdefault(_subject(title), []).append(_picture(title, image))
    ids = unique_slugs([f"figures {subject}" for subject in groups], "-")
    named = zip(ids, groups.items(), strict=True)
    return [{"id": name, "title": subject, "pictures": shown} for name, (subject, shown) in named]


def _subject(title: str) -> str:
    return title.partition(": ")[2]


def _picture(title: str, image: bytes) -> dict[str, Any]:
    caption = title.partition(": ")[0]
    data = base64.b64encode(image).decode("ascii")
    return {"title": title, "caption": caption, "width": shown_width(image), "data": data, "type": _type(image)}


def _type(image: bytes) -> str:
    return "gif" if image.startswith(b"GIF8") else "png"
