"""What the operators and functions of an expression do; every result is bounded and finite."""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import TypeAlias

from advorch.spec.scalars import shown

Number: TypeAlias = int | float

_RATIONAL = re.compile(r"\s*([-+]?\d{1,40}(?:\.\d{1,40})?)\s*/\s*(\d{1,40}(?:\.\d{1,40})?)\s*", re.ASCII)
_MOST_BITS = 1024
_LARGEST_EXPONENT = 1024


class Undefined(Exception):
    """An operation that has no value; the caller knows where it stands."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def rational(text: str) -> float | None:
    """The value of `8/255` and its like, or None where the text is something else."""
    match = _RATIONAL.fullmatch(text)
    if match is None or not Fraction(match[2]):
        return None
    return float(Fraction(match[1]) / Fraction(match[2]))


def number(value: object, whose: str) -> Number:
    """The value as a number, or Undefined in the name of who needs it."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and (ratio := rational(value)) is not None:
        return ratio
    raise Undefined(f"{whose} needs a number, not {shown(value)}")


def truth(value: object, whose: str) -> bool:
    """The value as a truth; numbers and texts have none."""
    if isinstance(value, bool):
        return value
    raise Undefined(f"{whose} needs true or false, not {shown(value)}", "compare it, for example with == or >")


def unary(sign: str, value: object) -> object:
    """`-a`, `+a`, `not a`."""
    if sign == "not":
        return not truth(value, "not")
    operand = number(value, f"'{sign}'")
    return -operand if sign == "-" else operand


def binary(sign: str, left: object, right: object) -> Number:
    """Arithmetic; texts are joined by writing one `${}` beside the other."""
    if sign == "+" and isinstance(left, str) and isinstance(right, str) and not (rational(left) or rational(right)):
        raise Undefined("'+' needs numbers", 'join texts by writing "${a}${b}"')
    a, b = number(left, f"'{sign}'"), number(right, f"'{sign}'")
    try:
        return _finite(_power(a, b) if sign == "**" else _ARITHMETIC[sign](a, b), a, b)
    except ZeroDivisionError:
        raise Undefined("division by zero") from None
    except OverflowError:
        raise Undefined("the result is too large") from None


_ARITHMETIC: Mapping[str, Callable[[Number, Number], Number]] = MappingProxyType(
    {
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "/": operator.truediv,
        "//": operator.floordiv,
        "%": operator.mod,
    }
)


def _power(base: Number, exponent: Number) -> Number:
    if abs(exponent) > _LARGEST_EXPONENT:
        raise Undefined(f"an exponent beyond {_LARGEST_EXPONENT}")
    if isinstance(base, int) and isinstance(exponent, int) and (base.bit_length() - 1) * exponent > _MOST_BITS:
        raise Undefined("the result is too large")
    result = base**exponent
    if isinstance(result, complex):
        raise Undefined("a root of a negative number")
    return result


def _finite(result: Number, *operands: Number) -> Number:
    if isinstance(result, int):
        if result.bit_length() > _MOST_BITS:
            raise Undefined("the result is too large")
        return result
    if not math.isfinite(result) and all(math.isfinite(operand) for operand in operands):
        raise Undefined("the result is too large")
    return result


def compare(sign: str, left: object, right: object) -> bool:
    """Equality holds between values of one type; order between two numbers or two texts."""
    if sign in ("==", "!="):
        return _equal(left, right) == (sign == "==")
    if isinstance(left, str) and isinstance(right, str) and (rational(left) is None or rational(right) is None):
        return _ORDER[sign](left, right)
    return _ORDER[sign](number(left, f"'{sign}'"), number(right, f"'{sign}'"))


_ORDER: Mapping[str, Callable[..., bool]] = MappingProxyType(
    {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
)


def _equal(left: object, right: object) -> bool:
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    if isinstance(left, str) != isinstance(right, str):
        left, right = _ratio_or_same(left), _ratio_or_same(right)
    return left == right


def _ratio_or_same(value: object) -> object:
    ratio = rational(value) if isinstance(value, str) else None
    return value if ratio is None else ratio


def _round(values: Sequence[object]) -> Number:
    digits = values[1] if len(values) > 1 else None
    if digits is not None and (not isinstance(digits, int) or isinstance(digits, bool) or abs(digits) > 300):
        raise Undefined(f"round takes a whole number of digits, not {shown(digits)}")
    value = number(values[0], "round")
    if not math.isfinite(value):
        raise Undefined("round needs a finite number")
    return round(value) if digits is None else round(value, digits)


def _extreme(name: str, choose: Callable[[list[Number]], Number]) -> Callable[[Sequence[object]], Number]:
    def apply(values: Sequence[object]) -> Number:
        only = values[0]
        items = only if len(values) == 1 and isinstance(only, Sequence) and not isinstance(only, str) else values
        if not items:
            raise Undefined(f"{name} of nothing")
        return choose([number(item, name) for item in items])

    return apply


def _length(values: Sequence[object]) -> int:
    if isinstance(values[0], str | Sequence | Mapping):
        return len(values[0])
    raise Undefined(f"len needs a text, a list or a map, not {shown(values[0])}")


def _root(values: Sequence[object]) -> float:
    value = number(values[0], "sqrt")
    if value < 0:
        raise Undefined("sqrt of a negative number")
    return math.sqrt(value)


def _logarithm(values: Sequence[object]) -> float:
    value = number(values[0], "log10")
    if value <= 0:
        raise Undefined("log10 needs a number above 0")
    return math.log10(value)


FUNCTIONS: Mapping[str, tuple[Callable[[Sequence[object]], Number], int, int]] = MappingProxyType(
    {  # name: what it does, the fewest and the most arguments
        "min": (_extreme("min", min), 1, 100),
        "max": (_extreme("max", max), 1, 100),
        "round": (_round, 1, 2),
        "abs": (lambda values: abs(number(values[0], "abs")), 1, 1),
        "len": (_length, 1, 1),
        "log10": (_logarithm, 1, 1),
        "sqrt": (_root, 1, 1),
    }
)


def call(name: str, values: Sequence[object]) -> Number:
    """Apply one of the functions."""
    function, fewest, most = FUNCTIONS[name]
    if not fewest <= len(values) <= most:
        wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
        raise Undefined(f"{name} takes {wanted} argument{'s' if most > 1 else ''}, not {len(values)}")
    try:
        return function(values)
    except OverflowError:
        raise Undefined("the result is too large") from None
