"""What a plain scalar means under YAML 1.2's core schema, and how values are named in messages."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from advorch.spec.nodes import ScalarValue

_WORDS: Mapping[str, ScalarValue] = MappingProxyType(
    {
        **dict.fromkeys(("", "~", "null", "Null", "NULL")),
        **dict.fromkeys(("true", "True", "TRUE"), True),
        **dict.fromkeys(("false", "False", "FALSE"), False),
        **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
        **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
        **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    }
)
_NUMERIC_STARTS = frozenset("+-.0123456789")
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 100


def resolve(text: str) -> ScalarValue:
    """The value of an unquoted scalar; raises ValueError for a number that nobody can mean."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC_STARTS:
        return text
    return _number(text)


def _number(text: str) -> ScalarValue:
    if len(text) > _LONGEST_NUMBER:
        if _DECIMAL.fullmatch(text) or _FLOAT.fullmatch(text) or _BASED.fullmatch(text):
            raise ValueError(f"a number of {len(text)} digits is too large")
        return text
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text[2:], 8 if text[1] == "o" else 16)
    if not _FLOAT.fullmatch(text):
        return text
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("the number is larger than a double holds")
    return value


def shown(value: object) -> str:
    """A value in a sentence, never longer than a glance."""
    if isinstance(value, str):
        return f"the text '{value}'" if len(value) <= 40 else f"the text '{value[:37]}...'"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, Mapping):
        return "a map"
    return "a list" if isinstance(value, Sequence) else f"{value:.12g}" if isinstance(value, float) else str(value)
