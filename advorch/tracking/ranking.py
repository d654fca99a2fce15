"""Which trials of a sweep won, read off the table that it hands on."""

import json
import logging
import tempfile
from pathlib import Path

from advorch.errors import AdvorchError
from advorch.events import CellFinished
from advorch.tracking.recorder import Library

PORT = "trials"

log = logging.getLogger(__name__)


def ranks(event: CellFinished, library: Library) -> dict[str, int]:
    """The winners of the sweep that ended, each by its cell; none where the table is gone."""
    if PORT not in event.outputs or not event.key:
        return {}
    try:
        return _read(event, library)
    except AdvorchError as error:
        log.warning("left out who won %s: %s", event.cell, error)
        return {}


def _read(event: CellFinished, library: Library) -> dict[str, int]:
    artifact = library.outputs(event.key).get(PORT)
    if artifact is None:
        return {}
    with tempfile.TemporaryDirectory(prefix="advorch-mlflow-") as scratch:
        folder = library.lay_out(artifact, Path(scratch) / PORT)
        table = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    number, rank = (table["columns"].index(name) for name in ("trial", "rank"))
    return {f"{event.cell}/{row[number]}": row[rank] for row in table["rows"] if row[rank] is not None}
