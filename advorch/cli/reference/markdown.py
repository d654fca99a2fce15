"""Markdown, as far as a reference needs it."""

from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a column in which no row says anything is left out."""
    body = [list(row) for row in rows]
    used = [place for place in range(len(columns)) if place == 0 or any(row[place] for row in body)]
    lines = [
        [columns[place] for place in used],
        ["---"] * len(used),
        *([_cell(row[place]) for place in used] for row in body),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def code(text: object) -> str:
    """Text in the letters of a program."""
    return f"`{text}`"


def listed(words: Iterable[object]) -> str:
    """`a`, `b`, `c`."""
    return ", ".join(code(word) for word in words)


def heading(level: int, text: str) -> str:
    """A heading with room around it."""
    return f"\n{'#' * level} {text}\n\n"


def anchor(text: str) -> str:
    """What a link to a heading ends with."""
    kept = "".join(letter for letter in text.lower() if letter.isalnum() or letter in " -_")
    return f"#{kept.replace(' ', '-')}"


def link(text: str, to: str) -> str:
    """A link to a heading of the same page."""
    return f"[{text}]({anchor(to)})"
