"""What an evaluation found out: numbers, tables, figures and remarks."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Value: TypeAlias = None | bool | int | float | str
Figure: TypeAlias = bytes | Callable[[], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a page shows a table; files have every column and every digit.

    `shares` are columns in per cent. `intervals` are columns with the two that bound them, shown as one. A column of
    `usual` is left off the page where all its values are the usual one. A `folded` table has to be opened.
    """

    shares: frozenset[str] = frozenset()
    intervals: tuple[tuple[str, str, str], ...] = ()
    usual: tuple[tuple[str, Value], ...] = ()
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name, rows of plain values; a missing value is None.

    `facts` is what else whoever made it says for programs to read; of an evaluation's own tables it is not kept.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    caption: str = ""
    look: Look = Look()
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        widths = {len(row) for row in self.rows} - {len(self.columns)}
        if widths:
            raise ValueError(f"a table of {len(self.columns)} columns has a row of {min(widths)}")
        strange = self._looked_at() - set(self.columns)
        if strange:
            raise ValueError(f"a table is shown by columns that it does not have: {', '.join(sorted(strange))}")

    def _looked_at(self) -> set[str]:
        bounds = {name for names in self.look.intervals for name in names}
        return bounds | self.look.shares | {name for name, _ in self.look.usual}

    def column(self, name: str) -> tuple[Value, ...]:
        """The values of one column."""
        place = self.columns.index(name)
        return tuple(row[place] for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The first table is the one that other stages and notebooks read; figures are PNG bytes or a thunk of them."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def pictures(self) -> dict[str, bytes]:
        """Every figure drawn."""
        return {title: figure if isinstance(figure, bytes) else figure() for title, figure in self.figures.items()}


def slug(text: str, joint: str = "_") -> str:
    """A name for files and metrics: lower case letters, digits and joints, starting with a letter."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in text.lower())
    name = joint.join(kept.split()) or "x"
    return name if name[0].isalpha() else f"x{joint}{name}"


def metrics_by_label(labels: Sequence[str], found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Plain names where one thing was measured; of several, each under its own label."""
    if len(found) == 1:
        return dict(found[0])
    named = zip(unique_slugs(labels), found, strict=True)
    return {f"{name}.{metric}": value for name, own in named for metric, value in own.items()}


def unique_slugs(texts: Sequence[str], joint: str = "_") -> list[str]:
    """A slug for each text; of equal ones the later carry a number."""
    names: list[str] = []
    for text in texts:
        base = slug(text, joint)
        numbered = (f"{base}{joint}{number}" for number in itertools.count(2))
        names.append(next(name for name in itertools.chain([base], numbered) if name not in names))
    return names
