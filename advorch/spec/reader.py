"""Takes checked values out of nodes, in the types that the program uses."""

from dataclasses import dataclass
from typing import Any

from advorch.errors import InvalidPipeline, Problem
from advorch.spec.codes import problem
from advorch.spec.expression import Lookup
from advorch.spec.interpolate import fill, is_open
from advorch.spec.kinds import BadValue, ValueKind
from advorch.spec.nodes import ListNode, MapNode, Node, Scalar
from advorch.spec.rules import given
from advorch.spec.shape import ListOf, Section, settle


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one section; what it does not have is answered with a default."""

    node: MapNode | None
    shape: Section
    lookup: Lookup

    def get(self, key: str, default: Any = None) -> Any:
        """A single value."""
        node = given(self.node, key) if self.node else None
        return default if node is None else self._read(node, key)

    def list(self, key: str, default: Any = ()) -> Any:
        """Several values, or one that stands for a list of one."""
        node = given(self.node, key) if self.node else None
        if node is None:
            return default
        return tuple(self._read(item, key) for item in items(node))

    def section(self, key: str) -> "Reader":
        """The section under a key, empty where there is none."""
        node = self.node.get(key) if self.node else None
        shape = settle(self.shape.fields[key])
        if not isinstance(shape, Section):
            raise TypeError(f"'{key}' is no section")
        return Reader(node if isinstance(node, MapNode) else None, shape, self.lookup)

    def _read(self, node: Node, key: str) -> Any:
        kind = settle(self.shape.fields.get(key) or self.shape.rest or "")
        kind = settle(kind.item) if isinstance(kind, ListOf) else kind
        return read(node, kind, self.lookup)  # type: ignore[arg-type]


def read(node: Node, kind: ValueKind, lookup: Lookup) -> Any:
    """The value of a node; raises InvalidPipeline where an expression gives something else than the kind wants."""
    found: list[Problem] = []
    try:
        value = fill(node, lookup, found).value if isinstance(node, Scalar) and is_open(node) else _plain(node)
        if found:
            raise InvalidPipeline(found)
        return kind.read(value)
    except BadValue as bad:
        raise InvalidPipeline([problem(bad.code, f"this {bad.message}", node.mark, bad.hint)]) from None


def _plain(node: Node) -> object:
    return node.value if isinstance(node, Scalar) else [] if isinstance(node, ListNode) else {}


def items(node: Node | None) -> tuple[Node, ...]:
    """The items of a list, or a lone value as the only one."""
    if node is None:
        return ()
    return node.items if isinstance(node, ListNode) else (node,)


def scalars(node: Node | None) -> tuple[Scalar, ...]:
    """The items of a list that are single values."""
    return tuple(item for item in items(node) if isinstance(item, Scalar))


def maps(node: Node | None) -> tuple[MapNode, ...]:
    """The items of a list that are maps."""
    return tuple(item for item in items(node) if isinstance(item, MapNode))
