"""A YAML document as values that remember where they were written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from advorch.errors import Place


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One text that values come from: a file, or the command line."""

    name: str
    lines: tuple[str, ...]


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
        return Place(source=self.source.name, line=self.line, column=self.column, length=self.length, text=text)


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
    """A plain JSON value beside the marks of its parts, addressed by path from the root."""

    value: object
    marks: Mapping[tuple[str | int, ...], Mark] = field(default_factory=dict)


def walk(node: Node, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    """Every node with its path, parents first."""
    yield path, node
    if isinstance(node, MapNode):
        for key, entry in node.entries.items():
            yield from walk(entry.node, (*path, key))
    elif isinstance(node, ListNode):
        for index, item in enumerate(node.items):
            yield from walk(item, (*path, index))
