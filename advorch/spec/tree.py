"""What a parsed expression consists of; `at` is the offset in its text."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a string, true, false or null."""

    value: None | bool | int | float | str
    at: int


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted name."""

    path: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """One of the few functions."""

    function: str
    arguments: tuple["Tree", ...]
    at: int


@dataclass(frozen=True, slots=True)
class Operation:
    """Arithmetic with one operand or two, and `not`."""

    sign: str
    operands: tuple["Tree", ...]
    at: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A chain such as `0 < a <= 1`; one sign between each two operands."""

    operands: tuple["Tree", ...]
    signs: tuple[tuple[str, int], ...]
    at: int


@dataclass(frozen=True, slots=True)
class Logic:
    """`and` or `or`; the right side is looked at only where it matters."""

    word: str
    operands: tuple["Tree", ...]
    at: int


@dataclass(frozen=True, slots=True)
class Choice:
    """`yes if condition else no`."""

    condition: "Tree"
    yes: "Tree"
    no: "Tree"
    at: int


Tree: TypeAlias = Literal | Name | Call | Operation | Comparison | Logic | Choice


def children(tree: Tree) -> tuple[Tree, ...]:
    """The parts of which a node is made."""
    match tree:
        case Call():
            return tree.arguments
        case Operation() | Comparison() | Logic():
            return tree.operands
        case Choice():
            return tree.condition, tree.yes, tree.no
        case _:
            return ()


def names(tree: Tree) -> Iterator[Name]:
    """Every name that is read, from left to right."""
    if isinstance(tree, Name):
        yield tree
    for child in children(tree):
        yield from names(child)
