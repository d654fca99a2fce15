"""`params:` settled once: parameters may read one another in any order, but not in a circle."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from advorch.errors import Problem
from advorch.spec.codes import MOST_PROBLEMS, Code, problem
from advorch.spec.compose import DEEPEST
from advorch.spec.expression import ExpressionError, Path, UnknownName
from advorch.spec.interpolate import AlreadyReported, fill, is_open, measure, names
from advorch.spec.nodes import Entry, ListNode, MapNode, Mark, Node, Scalar

Steps: TypeAlias = tuple[str | int, ...]
_MOST_VALUES = 100_000


class Parameters:
    """The settled values of `params:`; as a lookup it answers `params.*`."""

    def __init__(self, root: MapNode, problems: list[Problem]) -> None:
        self._root = root
        self._problems = problems
        self._settled: dict[Steps, object] = {}
        self._looked_up = 0
        self._tainted = False
        order = _Order(root, problems)
        for path, scalar in order.leaves:
            if path not in order.broken:
                self._settle(path, scalar)

    def __call__(self, name: Path) -> object:
        if name[0] != "params" or len(name) == 1:
            raise UnknownName(name, self.known())
        path, node, rest = find(self._root, name[1:])
        if not rest:
            return self._plain(node, path)
        if isinstance(node, Scalar) and is_open(node):
            return _below(self._plain(node, path), name[: len(path) + 1], rest)
        known = list(node.entries) if isinstance(node, MapNode) else []
        raise UnknownName(name, [".".join((*name[: len(path) + 1], key)) for key in known])

    def known(self) -> list[str]:
        """The names that may be read."""
        return [f"params.{key}" for key in self._root.entries]

    def nodes(self) -> Mapping[str, Node]:
        """The parameters with nothing left to fill in; each value keeps its place."""
        settled = self._node(self._root, ())
        return {key: entry.node for key, entry in settled.entries.items()} if isinstance(settled, MapNode) else {}

    def _settle(self, path: Steps, scalar: Scalar) -> None:
        if self._looked_up > _MOST_VALUES or len(self._problems) >= MOST_PROBLEMS:
            return
        found: list[Problem] = []
        self._tainted = False
        value = fill(scalar, self, found).value
        count, depth = measure(value, _MOST_VALUES)
        self._looked_up += count
        if self._looked_up > _MOST_VALUES:
            found.append(problem(Code.TOO_LARGE, f"params grow beyond {_MOST_VALUES:,} values here", scalar.mark))
        elif depth > DEEPEST:
            found.append(problem(Code.TOO_LARGE, f"params grow deeper than {DEEPEST} levels here", scalar.mark))
        self._problems += found
        if not found and not self._tainted:
            self._settled[path] = value

    def _plain(self, node: Node, path: Steps) -> object:
        if isinstance(node, Scalar):
            if not is_open(node):
                return node.value
            if path not in self._settled:
                self._tainted = True
                raise AlreadyReported
            return self._settled[path]
        if path not in self._settled:
            values = [(step, self._plain(child, (*path, step))) for step, child in children(node)]
            self._settled[path] = dict(values) if isinstance(node, MapNode) else [value for _, value in values]
        return self._settled[path]

    def _node(self, node: Node, path: Steps) -> Node:
        if isinstance(node, Scalar):
            return _as_node(self._settled.get(path), node.mark) if is_open(node) else node
        if isinstance(node, ListNode):
            return ListNode(tuple(self._node(item, (*path, i)) for i, item in enumerate(node.items)), node.mark)
        entries = {key: Entry(item.key, self._node(item.node, (*path, key))) for key, item in node.entries.items()}
        return MapNode(entries, node.mark)


class _Order:
    """Every scalar to fill in, after all that it reads; without recursion, for a chain may be long."""

    def __init__(self, root: MapNode, problems: list[Problem]) -> None:
        self._root = root
        self._problems = problems
        self._done: dict[Steps, bool] = {}
        self.leaves: list[tuple[Steps, Scalar]] = []
        self.broken: set[Steps] = set()
        for path, leaf in _open_leaves(root):
            if path not in self._done:
                self._visit(path, leaf)

    def _visit(self, path: Steps, node: Node) -> None:
        trail = [(path, node, self._reads(path, node))]
        self._done[path] = False
        while trail:
            here, node, reads = trail[-1]
            found = next(reads, None)
            if found is None:
                self._finish(here, node)
                trail.pop()
                continue
            target, child, mark = found
            if target not in self._done:
                self._done[target] = False
                trail.append((target, child, self._reads(target, child)))
            elif not self._done[target]:
                self._circle([entry[0] for entry in trail], target, mark)

    def _finish(self, path: Steps, node: Node) -> None:
        self._done[path] = True
        if isinstance(node, Scalar) and is_open(node):
            self.leaves.append((path, node))

    def _reads(self, path: Steps, node: Node) -> Iterator[tuple[Steps, Node, Mark]]:
        if not isinstance(node, Scalar):
            yield from (((*path, step), child, child.mark) for step, child in children(node))
            return
        try:
            read = names(node)
        except ExpressionError:
            self.broken.add(path)  # its syntax is the business of the check
            return
        for name, mark in read.items():
            if name[0] == "params" and len(name) > 1:
                target, found, rest = find(self._root, name[1:])
                if target and (not rest or isinstance(found, Scalar)):
                    yield target, found, mark

    def _circle(self, trail: list[Steps], target: Steps, mark: Mark) -> None:
        circle = trail[trail.index(target) :]
        self.broken.update(circle)
        said = " -> ".join(".".join(("params", *map(str, path))) for path in [*circle, target])
        self._problems.append(problem(Code.PARAMS_CYCLE, f"parameters read each other in a circle: {said}", mark))


def children(node: Node) -> Iterator[tuple[str | int, Node]]:
    """What lies directly inside a node."""
    if isinstance(node, MapNode):
        yield from ((key, entry.node) for key, entry in node.entries.items())
    elif isinstance(node, ListNode):
        yield from enumerate(node.items)


def find(root: Node, names: Path) -> tuple[Steps, Node, Path]:
    """The node that a dotted name reaches, and what of the name is left where it goes no further."""
    node: Node = root
    path: Steps = ()
    for index, step in enumerate(names):
        if not isinstance(node, MapNode) or step not in node.entries:
            return path, node, names[index:]
        node, path = node.entries[step].node, (*path, step)
    return path, node, ()


def _open_leaves(root: Node) -> Iterator[tuple[Steps, Scalar]]:
    waiting: list[tuple[Steps, Node]] = [((), root)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, Scalar):
            if is_open(node):
                yield path, node
            continue
        inside = [((*path, step), child) for step, child in children(node)]
        waiting.extend(reversed(inside))


def _below(value: object, name: Path, rest: Path) -> object:
    """A part of a value that an expression gave."""
    for step in rest:
        if not isinstance(value, Mapping) or step not in value:
            known = list(value) if isinstance(value, Mapping) else []
            raise UnknownName((*name, step), [".".join((*name, str(key))) for key in known])
        value, name = value[step], (*name, step)
    return value


def _as_node(value: object, mark: Mark) -> Node:
    """A settled value as a node; a literal `${` in it is escaped, so that nobody fills it in again."""
    if isinstance(value, Mapping):
        return MapNode({str(key): Entry(mark, _as_node(item, mark)) for key, item in value.items()}, mark)
    if isinstance(value, list | tuple):
        return ListNode(tuple(_as_node(item, mark) for item in value), mark)
    if isinstance(value, str):
        text = value.replace("${", "$${")
        return Scalar(text, text, mark)
    if value is None or isinstance(value, bool | int | float):
        return Scalar(value, str(value), mark)
    raise TypeError(f"{value!r} is no plain value")
