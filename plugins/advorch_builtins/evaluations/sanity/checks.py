"""All checks, in the order of their numbers."""

from collections.abc import Collection, Sequence

from advorch_builtins.evaluations.sanity import (
    bookkeeping,
    budget,
    disclosure,
    gradients,
    outputs,
    randomness,
    sets,
    strength,
)
from advorch_builtins.evaluations.sanity.attempts import columns_of
from advorch_builtins.evaluations.sanity.check import Check

_THEMES = (budget, strength, gradients, outputs, randomness, bookkeeping, sets, disclosure)


def every_check() -> list[Check]:
    """S1 to S31."""
    return sorted((check for theme in _THEMES for check in theme.CHECKS), key=lambda check: int(check.id[1:]))


def chosen(skip: Collection[str]) -> list[Check]:
    """Those that are not left out."""
    return [check for check in every_check() if check.id not in skip]


def columns(checks: Sequence[Check]) -> list[str]:
    """Everything that these measure, once."""
    tried = [column for check in checks for name in check.tries for column in columns_of(name)]
    return list(dict.fromkeys([*(column for check in checks for column in check.columns), *tried]))


__all__ = ["chosen", "columns", "every_check"]
