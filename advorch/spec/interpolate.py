"""Scalars that hold `${...}`: finding them, what they read, and filling them in."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from advorch.errors import Problem
from advorch.spec.codes import Code, problem
from advorch.spec.expression import Expression, ExpressionError, Lookup, Path, UnknownName, parse
from advorch.spec.nodes import ListNode, Located, MapNode, Mark, Node, Scalar
from advorch.spec.position import Finder
from advorch.spec.scalars import shown

Piece: TypeAlias = str | Expression
Steps: TypeAlias = tuple[str | int, ...]

_OPENING = re.compile(r"\$?\$\{")
_CLOSING = re.compile(r"'[^']*'|\"[^\"]*\"|(?P<end>\})|[^'\"}]+|['\"]")
_LONGEST_TEXT = 65_536
_MOST_VALUES = 100_000
_MOST_EXPRESSIONS = 500


def is_open(scalar: Scalar) -> bool:
    """Whether the scalar has something to fill in, be it only a literal `$${`."""
    return isinstance(scalar.value, str) and "${" in scalar.value


def pieces(scalar: Scalar) -> tuple[Piece, ...]:
    """Literal texts and expressions in turn; raises ExpressionError."""
    text = scalar.value
    if not isinstance(text, str) or "${" not in text:
        return (text,) if isinstance(text, str) else ()
    found: list[Piece] = []
    finder, position = Finder(scalar), 0
    while match := _OPENING.search(text, position):
        found.append(text[position : match.start()])
        if match.group() == "$${":
            found.append("${")
            position = match.end()
            continue
        if len(found) > 2 * _MOST_EXPRESSIONS:
            message = f"more than {_MOST_EXPRESSIONS:,} expressions in one text"
            raise ExpressionError(message, offset=0, mark=scalar.mark, code=Code.TOO_LARGE)
        position = _end(text, match.end(), finder)
        inside = text[match.end() : position - 1]
        found.append(parse(inside, finder.mark(inside)))
    found.append(text[position:])
    return tuple(piece for piece in found if piece != "")


def _end(text: str, start: int, finder: Finder) -> int:
    """The offset behind the brace that closes an expression; quoted texts may hold braces."""
    position = start
    while match := _CLOSING.match(text, position):
        position = match.end()
        if match["end"]:
            return position
    message = "'${' is never closed"
    raise ExpressionError(
        message, offset=0, mark=finder.opening(), hint="close it with }, or write $${ for a literal ${"
    )


def expressions(scalar: Scalar) -> tuple[Expression, ...]:
    """The expressions in a scalar, in order; raises ExpressionError."""
    if not is_open(scalar):
        return ()
    return tuple(piece for piece in pieces(scalar) if isinstance(piece, Expression))


def condition(scalar: Scalar) -> Expression:
    """A constraint: an expression as such, or in one `${}`; raises ExpressionError."""
    found = pieces(scalar)
    if len(found) == 1 and isinstance(found[0], Expression):
        return found[0]
    return parse(scalar.value if isinstance(scalar.value, str) else scalar.text, Finder(scalar).content())


def names(node: Node) -> Mapping[Path, Mark]:
    """Every name read anywhere below a node, with the first place that reads it; raises ExpressionError."""
    found: dict[Path, Mark] = {}
    waiting = [node]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Scalar):
            for expression in expressions(here):
                for name, mark in expression.marks():
                    found.setdefault(name, mark)
        elif isinstance(here, ListNode):
            waiting.extend(reversed(here.items))
        elif not is_secret(here):
            waiting.extend(entry.node for entry in reversed(list(here.entries.values())))
    return found


def is_secret(node: Node) -> bool:
    """Whether a map is `{secret: NAME}`."""
    return isinstance(node, MapNode) and len(node.entries) == 1 and isinstance(node.get("secret"), Scalar)


def fill(node: Node, lookup: Lookup, problems: list[Problem]) -> Located:
    """The plain value with all expressions answered; what cannot be answered is null and a problem."""
    return _Filler(lookup, problems).whole(node)


class _Filler:
    def __init__(self, lookup: Lookup, problems: list[Problem]) -> None:
        self._lookup = lookup
        self._problems = problems
        self._marks: dict[Steps, Mark] = {}
        self._keys: dict[Steps, Mark] = {}
        self._looked_up = 0

    def whole(self, node: Node) -> Located:
        value = self._value(node, ())
        return Located(value, self._marks, self._keys)

    def _value(self, node: Node, path: Steps) -> object:
        self._marks[path] = node.mark
        if isinstance(node, Scalar):
            return self._scalar(node) if is_open(node) else node.value
        if isinstance(node, ListNode):
            return [self._value(item, (*path, index)) for index, item in enumerate(node.items)]
        for key, entry in node.entries.items():
            self._keys[(*path, key)] = entry.key
        if is_secret(node):
            self._marks[(*path, "secret")] = node.entries["secret"].node.mark
            return {"secret": _text(node.entries["secret"].node)}
        return {key: self._value(entry.node, (*path, key)) for key, entry in node.entries.items()}

    def _scalar(self, scalar: Scalar) -> object:
        try:
            return self._joined(scalar, pieces(scalar))
        except ExpressionError as error:
            self._problems.append(error.problem())
        except AlreadyReported:
            pass  # the parameter that could not be settled has its own line
        return None

    def _joined(self, scalar: Scalar, parts: tuple[Piece, ...]) -> object:
        if len(parts) == 1 and isinstance(parts[0], Expression):
            return self._bounded(parts[0], parts[0].evaluate(self._lookup))
        text = "".join(part if isinstance(part, str) else _formatted(part, self._lookup) for part in parts)
        if len(text) > _LONGEST_TEXT:
            self._problems.append(
                problem(Code.TOO_LARGE, f"the text grows beyond {_LONGEST_TEXT:,} characters", scalar.mark)
            )
            return None
        return text

    def _bounded(self, expression: Expression, value: object) -> object:
        """Lists that hold lists that hold lists grow without bound; the sum of what is looked up does not."""
        self._looked_up += size(value, _MOST_VALUES)
        if self._looked_up > _MOST_VALUES:
            message = f"more than {_MOST_VALUES:,} values are looked up here"
            raise ExpressionError(message, offset=0, mark=expression.mark, code=Code.TOO_LARGE)
        return value


class AlreadyReported(Exception):
    """Raised by a lookup for a name that is known but broken, once its problem stands in the list."""


def size(value: object, most: int) -> int:
    """How many values are in a value, counted as far as `most`."""
    return measure(value, most)[0]


def measure(value: object, most: int) -> tuple[int, int]:
    """How many values are in a value and how deep they lie, looked at as far as `most`."""
    waiting, count, deepest = [(value, 1)], 0, 0
    while waiting and count <= most:
        here, depth = waiting.pop()
        count, deepest = count + 1, max(deepest, depth)
        if isinstance(here, Mapping):
            waiting.extend((item, depth + 1) for item in here.values())
        elif isinstance(here, Sequence) and not isinstance(here, str):
            waiting.extend((item, depth + 1) for item in here)
    return count, deepest


def _text(node: Node) -> object:
    return node.value if isinstance(node, Scalar) else None


def _formatted(expression: Expression, lookup: Lookup) -> str:
    value = expression.evaluate(lookup)
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return shown(value)
    if isinstance(value, int | float):
        return repr(value) if not isinstance(value, float) or math.isfinite(value) else str(value)
    message = f"{shown(value)} cannot stand inside a text"
    raise ExpressionError(
        message, offset=0, mark=expression.mark, hint="let ${...} be the whole value", code=Code.EVALUATION
    )


__all__ = [
    "AlreadyReported",
    "Expression",
    "ExpressionError",
    "Lookup",
    "Path",
    "UnknownName",
    "condition",
    "expressions",
    "fill",
    "is_open",
    "is_secret",
    "measure",
    "names",
    "parse",
    "pieces",
    "size",
]  # fmt: skip
