"""A YAML document as values that remember where they were written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from advorch.errors import Place

_SHOWN = 160  # characters of a line in a message
_BEFORE = 60  # of them before the mark


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One text that values come from: a file, or the command line."""

    name: str
    lines: tuple[str, ...] = field(repr=False)


class Mark(NamedTuple):
    """A position in a source, kept small: a thousand stages carry tens of thousands."""

    source: Source
    line: int
    column: int
    length: int

    def place(self) -> Place:
        """The position with its line of text, for a message."""
        lines = self.source.lines
        text = lines[self.line - 1] if self.line <= len(lines) else ""
        first = self.column - _BEFORE if len(text) > _SHOWN and self.column > _BEFORE else 1
        part = text[first - 1 : first - 1 + _SHOWN]
        # a tab would push the caret aside, and an escape sequence would speak to the terminal
        shown = part if part.isprintable() else "".join(c if c.isprintable() else " " for c in part)
        length = max(1, min(self.length, first + len(shown) - self.column))
        return Place(
            source=self.source.name, line=self.line, column=self.column, length=length, text=shown, first=first
        )

    def at(self, offset: int, length: int = 1) -> "Mark":
        """A position further right on the same line, or this one where the line does not reach so far."""
        column = self.column + offset
        lines = self.source.lines
        reaches = self.line <= len(lines) and column <= len(lines[self.line - 1]) + 1
        return Mark(self.source, self.line, column, length) if reaches else self


ScalarValue: TypeAlias = None | bool | int | float | str


@dataclass(frozen=True, slots=True)
class Scalar:
    """A leaf; `value` follows YAML 1.2's core schema, `text` is what was written."""

    value: ScalarValue
    text: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value; the key has a place of its own."""

    key: Mark
    node: "Node"


@dataclass(frozen=True, slots=True)
class ListNode:
    """A YAML sequence."""

    items: tuple["Node", ...]
    mark: Mark


@dataclass(frozen=True, slots=True)
class MapNode:
    """A YAML mapping, in the order of the file."""

    entries: Mapping[str, Entry]
    mark: Mark

    def get(self, key: str) -> "Node | None":
        """The value under a key, or None."""
        entry = self.entries.get(key)
        return entry.node if entry else None


Node: TypeAlias = Scalar | ListNode | MapNode


@dataclass(frozen=True, slots=True)
class Located:
    """A plain JSON value beside the marks of its parts, addressed by path from the root; `keys` marks the keys."""

    value: object
    marks: Mapping[tuple[str | int, ...], Mark] = field(default_factory=dict)
    keys: Mapping[tuple[str | int, ...], Mark] = field(default_factory=dict)

    def mark(self, path: tuple[str | int, ...]) -> Mark | None:
        """The mark of a part, or of the nearest part around it that was written."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path)

    def key_mark(self, path: tuple[str | int, ...]) -> Mark | None:
        """The mark of the key of a part; where it has none, that of its value."""
        return self.keys.get(path) or self.mark(path)


def walk(node: Node, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    """Every node with its path, parents first."""
    yield path, node
    if isinstance(node, MapNode):
        for key, entry in node.entries.items():
            yield from walk(entry.node, (*path, key))
    elif isinstance(node, ListNode):
        for index, item in enumerate(node.items):
            yield from walk(item, (*path, index))
