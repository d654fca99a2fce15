"""Rows to stdout as a table, JSON or NDJSON; everything human goes to stderr elsewhere."""

import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

Row = Mapping[str, Any]


class Format(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


def emit(rows: Sequence[Row], columns: Sequence[str], form: Format = Format.TABLE) -> None:
    """Write rows to stdout; JSON forms carry every key of a row, tables the named columns."""
    if form is Format.JSON:
        sys.stdout.write(json.dumps(list(rows), indent=2, default=str) + "\n")
    elif form is Format.NDJSON:
        sys.stdout.writelines(json.dumps(row, default=str) + "\n" for row in rows)
    else:
        sys.stdout.write(table(rows, columns))


def table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Left-aligned columns with a header, two spaces apart; numbers to four digits."""
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    heads = [column.replace("_", " ") for column in columns]
    widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(columns))]
    lines = [heads, ["-" * width for width in widths], *cells]
    return "".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def say(*lines: str) -> None:
    """Lines for a person, on stderr."""
    sys.stderr.writelines(f"{line}\n" for line in lines)


def suggest(*commands: str) -> None:
    """What to do next, as commands to copy, on stderr."""
    say("Next:", *(f"  {command}" for command in commands))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_cell(item)}" for name, item in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(str(item) for item in value)
    return str(value)
