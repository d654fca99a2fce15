"""`${...}`: a small, safe language for values that follow from other values."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from advorch.errors import AdvorchError, Problem
from advorch.spec.codes import Code
from advorch.spec.grammar import tree_of
from advorch.spec.lexer import Fault
from advorch.spec.nodes import Mark
from advorch.spec.operators import Undefined, binary, call, compare, truth, unary
from advorch.spec.suggest import hint as suggestion
from advorch.spec.tree import Call, Choice, Comparison, Literal, Logic, Name, Operation, Tree, names

Path: TypeAlias = tuple[str, ...]
Lookup: TypeAlias = Callable[[Path], object]


class ExpressionError(AdvorchError):
    """An expression that cannot be read or has no value; `mark` is the spot, `offset` its place in the expression."""

    exit_code = 3

    def __init__(self, message: str, *, offset: int, mark: Mark, hint: str = "", code: Code = Code.EXPRESSION) -> None:
        super().__init__(message, hint=hint)
        self.offset = offset
        self.code = code
        self.place = mark.place()

    @classmethod
    def of(cls, fault: Fault, mark: Mark, code: Code) -> "ExpressionError":
        """A fault of an expression whose first character stands at the mark."""
        at = mark.at(fault.offset, fault.length)
        return cls(fault.message, offset=fault.offset, mark=at, hint=fault.hint, code=code)

    def problem(self) -> Problem:
        """The same as a line for the user, at its exact place."""
        return Problem(code=self.code.value, message=self.message, place=self.place, hint=self.hint)

    def render(self) -> str:
        return self.problem().render()


class UnknownName(Exception):
    """Raised by a lookup; says which names it knows, or in `advice` what else to do."""

    def __init__(self, name: Path | str, allowed: Iterable[str] = (), advice: str = "") -> None:
        self.name = name if isinstance(name, str) else ".".join(name)
        self.allowed = tuple(allowed)
        self.advice = advice
        super().__init__(f"unknown name '{self.name}'")

    @property
    def hint(self) -> str:
        """What was probably meant."""
        hyphen = "minus needs a space on both sides" if "-" in self.name and self.name not in self.allowed else ""
        return "; ".join(part for part in (suggestion(self.name, self.allowed), hyphen, self.advice) if part)


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression; `mark` is where its first character stands."""

    text: str
    mark: Mark
    tree: Tree
    names: frozenset[Path]

    def evaluate(self, lookup: Lookup) -> object:
        """The value, with names answered by `lookup`; raises ExpressionError with the place of what is wrong."""
        try:
            return _value(self.tree, lookup)
        except Fault as fault:
            code = Code.UNKNOWN_NAME if isinstance(fault, _UnknownAt) else Code.EVALUATION
            raise ExpressionError.of(fault, self.mark, code) from None

    def marks(self) -> list[tuple[Path, Mark]]:
        """Every name that is read, with its place."""
        return [(name.path, self.mark.at(name.at, len(".".join(name.path)))) for name in names(self.tree)]


def parse(text: str, mark: Mark) -> Expression:
    """Read an expression whose first character stands at the mark; raises ExpressionError."""
    try:
        tree, read = _parsed(text)
    except Fault as fault:
        raise ExpressionError.of(fault, mark, Code.EXPRESSION) from None
    return Expression(text, mark, tree, read)


@functools.lru_cache(maxsize=4096)  # a matrix repeats the same few texts in thousands of places
def _parsed(text: str) -> tuple[Tree, frozenset[Path]]:
    tree = tree_of(text)
    return tree, frozenset(name.path for name in names(tree))


class _UnknownAt(Fault):
    """A name that the lookup does not know."""


def _value(tree: Tree, lookup: Lookup) -> object:
    match tree:
        case Literal():
            return tree.value
        case Name():
            return _read(tree, lookup)
        case Choice():
            return _value(tree.yes if _truth(tree.condition, lookup, "if") else tree.no, lookup)
        case Logic():
            return _logic(tree, lookup)
        case Comparison():
            return _comparison(tree, lookup)
        case _:
            return _computed(tree, lookup)


def _read(name: Name, lookup: Lookup) -> object:
    try:
        return lookup(name.path)
    except UnknownName as unknown:
        message = f"unknown name '{unknown.name}'"
        raise _UnknownAt(name.at, message, unknown.hint, length=len(".".join(name.path))) from None


def _computed(tree: Call | Operation, lookup: Lookup) -> object:
    parts = tree.arguments if isinstance(tree, Call) else tree.operands
    values = [_value(part, lookup) for part in parts]
    try:
        if isinstance(tree, Call):
            return call(tree.function, values)
        return unary(tree.sign, values[0]) if len(values) == 1 else binary(tree.sign, values[0], values[1])
    except Undefined as undefined:
        raise Fault(tree.at, undefined.message, undefined.hint) from None


def _truth(tree: Tree, lookup: Lookup, whose: str) -> bool:
    try:
        return truth(_value(tree, lookup), whose)
    except Undefined as undefined:
        raise Fault(tree.at, undefined.message, undefined.hint) from None


def _logic(tree: Logic, lookup: Lookup) -> bool:
    decisive = tree.word == "or"
    return decisive if any(_truth(item, lookup, tree.word) == decisive for item in tree.operands) else not decisive


def _comparison(tree: Comparison, lookup: Lookup) -> bool:
    left = _value(tree.operands[0], lookup)
    for (sign, at), operand in zip(tree.signs, tree.operands[1:], strict=True):
        right = _value(operand, lookup)
        try:
            holds = compare(sign, left, right)
        except Undefined as undefined:
            raise Fault(at, undefined.message, undefined.hint) from None
        if not holds:
            return False
        left = right
    return True
