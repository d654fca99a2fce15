"""The words of the expression language; a name may hold a hyphen, so minus needs spaces."""

import re
from typing import NamedTuple

LONGEST = 1000
_WORDS = frozenset({"and", "or", "not", "if", "else", "true", "false", "null"})
_PATTERN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_-]*)
      | (?P<string>'[^']*'|"[^"]*")
      | (?P<sign>\*\*|//|==|!=|<=|>=|[-+*/%<>(),.])
    """,
    re.VERBOSE | re.ASCII,
)
_HINTS = {
    "=": "compare with ==",
    "&": "write and",
    "|": "write or",
    "!": "write not, or != to compare",
    "^": "write ** for a power",
    "[": "there is no indexing; read a value by its dotted name",
    "{": "there are no maps in an expression",
    "'": "the quote is never closed",
    '"': "the quote is never closed",
    "$": "an expression stands inside ${...} already",
    "?": "write `a if condition else b`",
}


class Fault(Exception):
    """What is wrong at an offset of an expression; becomes an ExpressionError that knows the place."""

    def __init__(self, offset: int, message: str, hint: str = "", length: int = 1) -> None:
        super().__init__(message)
        self.offset = offset
        self.length = length
        self.message = message
        self.hint = hint


class Token(NamedTuple):
    """One word; `kind` is number, name, string, sign, word or end."""

    kind: str
    text: str
    at: int


def tokens(text: str) -> list[Token]:
    """All words of an expression, with an end behind them."""
    if len(text) > LONGEST:
        raise Fault(0, f"the expression is longer than {LONGEST} characters", "move parts of it into params")
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _PATTERN.match(text, position)
        if match is None:
            raise Fault(position, f"unexpected {text[position]!r}", _HINTS.get(text[position], ""))
        if match.lastgroup != "space":
            found.append(_token(match, found[-1] if found else None))
        position = match.end()
    return [*found, Token("end", "", len(text))]


def _token(match: "re.Match[str]", before: Token | None) -> Token:
    kind, text, at = match.lastgroup or "", match.group(), match.start()
    if kind == "name" and before and before.kind == "number" and before.at + len(before.text) == at:
        raise Fault(at, f"'{text}' follows a number without an operator", f"write {before.text} * {text}")
    after_dot = before is not None and before.text == "."
    if kind == "name" and text in _WORDS and not after_dot:
        kind = "word"
    return Token(kind, text, at)
