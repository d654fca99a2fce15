"""The page of a run, with the reports of its cells laid out beside it."""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from advorch.artifacts import Artifact, ArtifactType
from advorch.cli.render import say
from advorch.errors import StoreError
from advorch.store.api import Store
from advorch.store.opening import open_store
from advorch.tracking.files import safe_file_name
from advorch.tracking.names import flat
from advorch.tracking.page import Finding, Link, render_page, stages_of
from advorch.tracking.runs import RunRecord

SHOWN = (ArtifactType.REPORT, ArtifactType.TABLE)
FOLDER = "reports"
PAGE = "index.html"
REPORT = "report.html"
FINDINGS = "findings.json"


def write_report(record: RunRecord) -> Path:
    """Copy the reports and tables of a run out of the store and write the page that links them."""
    target = record.folder / FOLDER
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    links = list(_links(record, target)) if any(cell.outputs for cell in record.own.values()) else []
    findings = [_finding(record, link, target) for link in links if Path(link.name).name == REPORT]
    page = target / PAGE
    page.write_text(render_page(record, links, flat(record.params), findings), encoding="utf-8")
    return page


def _links(record: RunRecord, target: Path) -> Iterator[Link]:
    store = open_store(record.storage)
    for cell in record.own.values():
        manifest = store.manifest(cell.key) if cell.key and cell.outputs else None
        for port, artifact in (manifest.outputs if manifest else {}).items():
            if artifact.type in SHOWN:
                yield from _lay_out(store, artifact, cell.cell, port, target)


def _lay_out(store: Store, artifact: Artifact, cell: str, port: str, target: Path) -> Iterator[Link]:
    place = Path(safe_file_name(cell)) / port
    try:
        store.fetch(artifact, target / place)
    except StoreError as error:
        say(f"warning: '{port}' of {cell} cannot be read: {error}")
        return
    for name in sorted(artifact.files):
        if name.endswith((".html", ".json", ".csv")):
            yield Link(cell, f"{port}/{name}", quote(str(place / name)))


def _finding(record: RunRecord, link: Link, target: Path) -> Finding:
    """The top of a report, under the names that this run's stages have."""
    said = _said(target / safe_file_name(link.cell) / Path(link.name).parent / FINDINGS)
    headline = said.get("headline") or {}
    return Finding(
        cell=link.cell,
        href=link.href,
        columns=tuple(headline.get("columns", ())),
        rows=tuple(tuple((text, interval) for text, interval in row) for row in headline.get("rows", ())),
        notes=tuple(said.get("notes", ())),
        stages=stages_of(record, said.get("models", {})),
    )


def _said(path: Path) -> Mapping[str, Any]:
    """What an evaluation wrote beside its page; a stage that writes reports of its own may have nothing there."""
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found
