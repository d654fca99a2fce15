"""From words to a tree, with the precedence of Python; deep nesting is refused before it can hurt."""

from collections.abc import Callable

from advorch.spec.lexer import Fault, Token, tokens
from advorch.spec.operators import FUNCTIONS
from advorch.spec.suggest import hint
from advorch.spec.tree import Call, Choice, Comparison, Literal, Logic, Name, Operation, Tree

_DEEPEST = 24
_MOST_OPERATIONS = 64
_CONSTANTS = {"true": True, "false": False, "null": None}
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_PYTHON_WORDS = {"True": "true", "False": "false", "None": "null"}


def tree_of(text: str) -> Tree:
    """Parse a whole expression; raises Fault."""
    parser = _Parser(tokens(text))
    if parser.now.kind == "end":
        raise Fault(0, "the expression is empty", "write a name such as params.epsilon")
    tree = parser.choice()
    if parser.now.kind != "end":
        raise parser.unexpected()
    return tree


class _Parser:
    def __init__(self, words: list[Token]) -> None:
        self._words = words
        self._position = 0
        self._depth = 0
        self._operations = 0

    @property
    def now(self) -> Token:
        return self._words[self._position]

    def unexpected(self) -> Fault:
        token = self.now
        if token.kind == "end":
            return Fault(max(0, token.at - 1), "the expression ends too early")
        if token.kind in ("name", "number", "string"):
            return Fault(token.at, f"an operator is missing before '{token.text}'", self._about_minus())
        return Fault(token.at, f"unexpected '{token.text}'")

    def _about_minus(self) -> str:
        before = self._words[self._position - 1]
        hyphen = self._position > 0 and before.kind == "name" and "-" in before.text
        return f"'{before.text}' is one name; minus needs a space on both sides" if hyphen else ""

    def choice(self) -> Tree:
        self._enter()
        yes = self._or()
        if self._accept("if"):
            at = self._words[self._position - 1].at
            condition = self._or()
            if not self._accept("else"):
                raise Fault(at, "`if` without `else`", "write `a if condition else b`")
            yes = Choice(condition, yes, self.choice(), at)
        self._depth -= 1
        return yes

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Fault(self.now.at, f"the expression is nested deeper than {_DEEPEST}")

    def _accept(self, *texts: str) -> Token | None:
        token = self.now
        if token.kind in ("sign", "word") and token.text in texts:
            self._position += 1
            return token
        return None

    def _or(self) -> Tree:
        return self._logic("or", self._and)

    def _and(self) -> Tree:
        return self._logic("and", self._not)

    def _logic(self, word: str, below: Callable[[], Tree]) -> Tree:
        operands = [below()]
        first: Token | None = None
        while token := self._accept(word):
            first = first or token
            operands.append(below())
        return Logic(word, tuple(operands), first.at) if first else operands[0]

    def _not(self) -> Tree:
        token = self._accept("not")
        if token is None:
            return self._comparison()
        self._enter()
        operand = self._not()
        self._depth -= 1
        return Operation("not", (operand,), token.at)

    def _comparison(self) -> Tree:
        operands, signs = [self._sum()], []
        while token := self._accept(*_COMPARISONS):
            signs.append((token.text, token.at))
            operands.append(self._sum())
        return Comparison(tuple(operands), tuple(signs), signs[0][1]) if signs else operands[0]

    def _sum(self) -> Tree:
        return self._chain(("+", "-"), self._product)

    def _product(self) -> Tree:
        return self._chain(("*", "/", "//", "%"), self._unary)

    def _chain(self, signs: tuple[str, ...], below: Callable[[], Tree]) -> Tree:
        left = below()
        while token := self._accept(*signs):
            self._operations += 1
            if self._operations > _MOST_OPERATIONS:
                raise Fault(token.at, f"more than {_MOST_OPERATIONS} operations", "move parts of it into params")
            left = Operation(token.text, (left, below()), token.at)
        return left

    def _unary(self) -> Tree:
        token = self._accept("-", "+")
        if token is None:
            return self._power()
        self._enter()
        operand = self._unary()
        self._depth -= 1
        return Operation(token.text, (operand,), token.at)

    def _power(self) -> Tree:
        base = self._atom()
        token = self._accept("**")
        if token is None:
            return base
        self._enter()
        exponent = self._unary()
        self._depth -= 1
        return Operation("**", (base, exponent), token.at)

    def _atom(self) -> Tree:
        token = self.now
        if self._accept("("):
            inside = self.choice()
            self._close(token)
            return inside
        if token.kind == "name":
            return self._name()
        if token.kind not in ("number", "string") and token.text not in _CONSTANTS:
            raise self._no_value()
        self._position += 1
        return _literal(token)

    def _no_value(self) -> Fault:
        token = self.now
        if token.kind == "end":
            return self.unexpected()
        return Fault(token.at, f"expected a value, found '{token.text}'")

    def _close(self, opened: Token) -> None:
        if self._accept(")"):
            return
        if self.now.kind == "end":
            raise Fault(opened.at, "'(' is never closed")
        raise self.unexpected()

    def _name(self) -> Tree:
        first = self.now
        self._position += 1
        if first.text in _PYTHON_WORDS:
            raise Fault(first.at, f"unknown word '{first.text}'", f"write {_PYTHON_WORDS[first.text]}")
        if self.now.text == "(" and self.now.kind == "sign":
            return self._call(first)
        path = [first.text]
        while self._accept("."):
            if self.now.kind != "name":
                raise Fault(self.now.at, "a name must follow the dot")
            path.append(self.now.text)
            self._position += 1
        return Name(tuple(path), first.at)

    def _call(self, name: Token) -> Tree:
        if name.text not in FUNCTIONS:
            raise Fault(name.at, f"there is no function '{name.text}'", hint(name.text, FUNCTIONS))
        opened = self.now
        self._position += 1
        arguments: list[Tree] = []
        if not self._accept(")"):
            arguments.append(self.choice())
            while self._accept(","):
                arguments.append(self.choice())
            self._close(opened)
        return Call(name.text, tuple(arguments), name.at)


def _literal(token: Token) -> Literal:
    if token.kind == "string":
        return Literal(token.text[1:-1], token.at)
    if token.kind == "word":
        return Literal(_CONSTANTS[token.text], token.at)
    if len(token.text) > 40:
        raise Fault(token.at, "the number is too long")
    return Literal(int(token.text) if token.text.isdigit() else float(token.text), token.at)
