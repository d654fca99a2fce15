"""Tables that an earlier evaluation handed on."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advorch.artifacts import check_format
from advorch.kit.evaluation.findings import Table


def read_table(folder: Path) -> Table:
    """The first table of an evaluation, which is the one that others read; how it looked is not kept."""
    record: Mapping[str, Any] = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    check_format(record["format"], "table")
    rows = tuple(tuple(row) for row in record["rows"])
    return Table(tuple(record["columns"]), rows, record["caption"], facts=record.get("search", {}))
