"""One dimension of a search space: exactly one distribution, with bounds that can be drawn from."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from advorch.errors import Problem
from advorch.spec.codes import Code, problem
from advorch.spec.interpolate import is_open
from advorch.spec.nodes import ListNode, MapNode, Mark, Node, Scalar
from advorch.spec.operators import rational
from advorch.spec.shape import SECTIONS, is_private
from advorch.spec.suggest import listing

ARGUMENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "uniform": ("low", "high"),
        "loguniform": ("low", "high"),
        "quniform": ("low", "high", "step"),
        "int": ("low", "high"),
        "logint": ("low", "high"),
        "normal": ("mean", "deviation"),
    }
)
_LOGARITHMIC = frozenset({"loguniform", "logint"})
_FINITE = frozenset({"int", "choice", "grid", "const", "quniform"})
DISTRIBUTIONS = tuple(key for key in SECTIONS["dimension"].fields if key != "when")


def distributions(node: MapNode) -> list[str]:
    """The distributions that a dimension names; one, if all is well."""
    return [key for key in node.entries if key in DISTRIBUTIONS]


def check_space(name: str, node: MapNode, key: Mark, problems: list[Problem], *, grid: bool) -> None:
    """Complain of a dimension that cannot be drawn from."""
    named = distributions(node)
    if len(named) != 1:
        if any(item not in SECTIONS["dimension"].fields and not is_private(item) for item in node.entries):
            return  # a misspelt distribution has its line already
        what = "no distribution" if not named else f"{len(named)} distributions"
        hint = f"one of {listing(DISTRIBUTIONS)}"
        problems.append(problem(Code.SPACE, f"the dimension '{name}' has {what}", key, hint))
        return
    kind, values = named[0], node.entries[named[0]].node
    if grid and kind not in _FINITE:
        hint = "use grid, choice, int or quniform, or another search algorithm"
        message = f"a grid search cannot walk through '{kind}' of '{name}'"
        problems.append(problem(Code.SPACE, message, node.entries[kind].key, hint))
    if kind in ARGUMENTS and isinstance(values, ListNode):
        _bounds(kind, values, problems)


def _bounds(kind: str, node: ListNode, problems: list[Problem]) -> None:
    values = [_number(item) for item in node.items]
    if None in values and len(values) == len(ARGUMENTS[kind]):
        return  # an expression, or no number at all, which has its line already
    message, index = fault(kind, values)
    if message:
        place = node.items[index] if len(values) == len(ARGUMENTS[kind]) else node
        problems.append(problem(Code.SPACE, message, place.mark))


def fault(kind: str, values: Sequence[float | None]) -> tuple[str, int]:
    """What is wrong with the arguments of a distribution, and with which of them."""
    wanted = ARGUMENTS[kind]
    if len(values) != len(wanted):
        return f"'{kind}' takes [{', '.join(wanted)}], not {len(values)} values", 0
    wrong = next((i for i, value in enumerate(values) if not _is_number(value)), None)
    return ("this takes a number", wrong) if wrong is not None else _order(kind, [value or 0 for value in values])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _order(kind: str, values: Sequence[float]) -> tuple[str, int]:
    if kind == "normal":
        return ("the deviation must be greater than 0", 1) if values[1] <= 0 else ("", 0)
    if kind in _LOGARITHMIC and values[0] <= 0:
        return f"'{kind}' must begin above 0, for it has no logarithm", 0
    if values[0] >= values[1]:
        return "the lower bound must be below the upper", 0
    if kind == "quniform" and values[2] <= 0:
        return "the step must be greater than 0", 2
    return "", 0


def _number(node: Node) -> float | None:
    if not isinstance(node, Scalar) or is_open(node) or isinstance(node.value, bool):
        return None
    if isinstance(node.value, str):
        return rational(node.value)
    return node.value if isinstance(node.value, int | float) else None
