"""A tree against the shape of a pipeline file: keys, types, units and the syntax of every expression."""

from collections.abc import Mapping
from typing import TypeAlias

from advorch.errors import Problem
from advorch.spec.codes import MOST_PROBLEMS, Code, problem
from advorch.spec.expression import Expression, ExpressionError, Lookup
from advorch.spec.interpolate import condition, fill, is_open, is_secret, pieces
from advorch.spec.kinds import BadValue, Computed, Condition, Constraint, Settled, Text, ValueKind
from advorch.spec.nodes import Entry, ListNode, MapNode, Mark, Node, Scalar
from advorch.spec.shape import Either, Free, ListOf, Section, Shape, is_private, settle
from advorch.spec.suggest import hint

Keys: TypeAlias = tuple[str, ...]


def check(root: MapNode, shape: Section, lookup: Lookup, problems: list[Problem]) -> None:
    """Everything that is wrong with a file by itself; values that are settled while loading are settled."""
    _Checker(lookup, problems).section(root, shape, (), root.mark)


def dotted(keys: Keys) -> str:
    """Keys as a user says them."""
    return ".".join(keys)


class _Checker:
    def __init__(self, lookup: Lookup, problems: list[Problem]) -> None:
        self._lookup = lookup
        self._problems = problems

    def _add(self, code: Code, message: str, mark: Mark, hint: str = "") -> None:
        self._take(problem(code, message, mark, hint))

    def _take(self, *found: Problem) -> None:
        if len(self._problems) < MOST_PROBLEMS:
            self._problems += found

    def _node(self, node: Node, shape: Shape, keys: Keys, at: Mark) -> None:
        kind = settle(shape)
        if isinstance(node, Scalar) and node.value is None and not isinstance(kind, Free):
            if isinstance(kind, Section) and kind.required:
                self.section(MapNode({}, node.mark), kind, keys, at)
            return  # nothing behind a key is the same as no key
        if isinstance(kind, Either):
            kind = _written(node, kind) or kind
        match kind:
            case Free():
                self._free(node, kind, keys)
            case Section():
                self._map(node, kind, keys, at)
            case ListOf():
                self._list(node, kind, keys, at)
            case Either():
                self._refuse(node, kind, keys)
            case _:
                self._value(node, kind, keys)

    def _refuse(self, node: Node, kind: Either, keys: Keys) -> None:
        names = {"a list": kind.list, "a map": kind.map, "a value": kind.value}
        wanted = " or ".join(name for name, option in names.items() if option is not None)
        self._add(Code.TYPE, f"'{keys[-1]}' takes {wanted}, not {_form(node)}", node.mark)

    def _map(self, node: Node, kind: Section, keys: Keys, at: Mark) -> None:
        if isinstance(node, MapNode):
            self.section(node, kind, keys, at)
        else:
            self._add(Code.TYPE, f"'{keys[-1]}' takes a map, not {_form(node)}", node.mark)

    def section(self, node: MapNode, kind: Section, keys: Keys, at: Mark) -> None:
        """A map with its keys."""
        own = [(key, entry) for key, entry in node.entries.items() if not is_private(key)]
        for key in kind.required:
            if _absent(node.entries.get(key)):
                code = Code.VERSION if key == "version" else Code.MISSING_KEY
                self._add(code, f"{dotted(keys) or 'the pipeline'} needs the key '{key}'", at, _missing_hint(key))
        if len(own) < kind.least:
            self._add(Code.VALUE, f"'{keys[-1]}' is empty", at, "write at least one entry")
        for key, entry in own:
            shape = kind.fields.get(key) or self._rest(key, entry, kind, keys)
            if shape is not None:
                self._node(entry.node, shape, (*keys, key), entry.key)

    def _rest(self, key: str, entry: Entry, kind: Section, keys: Keys) -> Shape | None:
        """What stands under a key of the user's choice; None, and a problem, where there may be none."""
        if kind.rest is None:
            where = dotted(keys) or "the pipeline"
            if len(self._problems) < MOST_PROBLEMS:
                self._add(Code.UNKNOWN_KEY, f"unknown key '{key[:60]}' in {where}", entry.key, hint(key, kind.fields))
            return None
        if kind.rest_name is not None:
            try:
                kind.rest_name.read(key)
            except BadValue as bad:
                message = f"'{key[:60]}' in {dotted(keys)}: this takes {kind.rest_name.what}"
                self._add(bad.code, message, entry.key, _name_hint(key, kind.rest_name))
        return kind.rest

    def _list(self, node: Node, kind: ListOf, keys: Keys, at: Mark) -> None:
        if isinstance(node, ListNode):
            if len(node.items) < kind.least:
                self._add(Code.VALUE, f"'{keys[-1]}' is empty", at, "write at least one item")
            for item in node.items:
                if isinstance(item, Scalar) and item.value is None and not isinstance(kind.item, Free):
                    self._add(Code.TYPE, f"an item of '{keys[-1]}' is empty", item.mark)
                self._node(item, kind.item, keys, item.mark)
        elif kind.lone and isinstance(node, Scalar):
            self._node(node, kind.item, keys, at)
        else:
            self._add(Code.TYPE, f"'{keys[-1]}' takes a list, not {_form(node)}", node.mark, "write [a, b]")

    def _value(self, node: Node, kind: ValueKind, keys: Keys) -> None:
        try:
            if isinstance(node, Scalar) and isinstance(kind, Constraint) and isinstance(node.value, str):
                condition(node)
            elif isinstance(node, Scalar) and is_open(node):
                self._open(node, kind, keys)
            else:
                kind.read(node.value if isinstance(node, Scalar) else _sample(node))
        except ExpressionError as error:
            self._take(error.problem())
        except BadValue as bad:
            self._add(bad.code, f"'{keys[-1]}' {bad.message}", node.mark, bad.hint)

    def _open(self, node: Scalar, kind: ValueKind, keys: Keys) -> None:
        """A value that holds an expression."""
        if kind.settled is Settled.NEVER:
            self._add(Code.MISPLACED, f"'{keys[-1]}' cannot hold an expression", node.mark, "write the value itself")
            return
        parts = pieces(node)
        if isinstance(kind, Condition | Computed) and not (len(parts) == 1 and isinstance(parts[0], Expression)):
            kind.read(node.value)
        if kind.settled is Settled.LATER:
            self._no_environment(parts)
            return
        found: list[Problem] = []
        value = fill(node, self._lookup, found).value
        self._take(*found)
        if value is not None:
            kind.read(value)

    def _free(self, node: Node, kind: Free, keys: Keys) -> None:
        """Values that belong to a component or to the user: their expressions can be read, that is all."""
        if kind.component and not isinstance(node, MapNode) and not (isinstance(node, Scalar) and node.value is None):
            self._add(Code.TYPE, f"'{keys[-1]}' takes a map, not {_form(node)}", node.mark)
        waiting = [node]
        while waiting:
            here = waiting.pop()
            if isinstance(here, MapNode):
                if not self._secret(here):
                    waiting.extend(entry.node for entry in here.entries.values())
            elif isinstance(here, ListNode):
                waiting.extend(here.items)
            elif is_open(here):
                self._syntax(here, kind)

    def _secret(self, node: MapNode) -> bool:
        if not is_secret(node):
            return False
        name = node.entries["secret"].node
        if isinstance(name, Scalar) and (is_open(name) or not isinstance(name.value, str) or not name.value):
            self._add(Code.VALUE, "a secret is named by plain text", name.mark, "write {secret: NAME}")
        return True

    def _syntax(self, scalar: Scalar, kind: Free) -> None:
        try:
            parts = pieces(scalar)
            self._no_environment(() if kind.environment else parts)
        except ExpressionError as error:
            self._take(error.problem())

    def _no_environment(self, parts: tuple[str | Expression, ...]) -> None:
        for part in parts:
            for name, mark in part.marks() if isinstance(part, Expression) and "env" in part.text else ():
                if name[0] == "env":
                    hint = "what a stage computes must not depend on the shell; set a parameter with -S"
                    self._add(Code.MISPLACED, f"'{dotted(name)}' cannot be read here", mark, hint)


def _written(node: Node, kind: Either) -> ValueKind | ListOf | Section | None:
    """The form that was chosen of those that may be."""
    if isinstance(node, MapNode):
        chosen = settle(kind.map) if kind.map is not None else None
        return chosen if isinstance(chosen, Section) else None
    return kind.list if isinstance(node, ListNode) else kind.value


def _form(node: Node) -> str:
    if isinstance(node, Scalar):
        return "text" if isinstance(node.value, str) else f"{node.text}"
    return "a list" if isinstance(node, ListNode) else "a map"


def _sample(node: Node) -> object:
    return [] if isinstance(node, ListNode) else {}


def _absent(entry: Entry | None) -> bool:
    return entry is None or (isinstance(entry.node, Scalar) and entry.node.value is None)


_MISSING: Mapping[str, str] = {
    "version": "begin the file with version: 1",
    "goal": "goal has no default: write goal: maximize or goal: minimize",
    "time": "name what the stage counts, for example time: epoch",
}


def _missing_hint(key: str) -> str:
    return _MISSING.get(key, "")


def _name_hint(key: str, name: Text) -> str:
    tame = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in key.lower()).strip("-")
    return f"for example '{tame}'" if name.pattern and name.pattern.fullmatch(tame) else ""
