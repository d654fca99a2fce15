"""What an attacker may know, change and want: plain data, no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

End: TypeAlias = float | tuple[float, ...]
Box: TypeAlias = tuple[End, End]
"""The legal range of a value, lowest and highest; an end with several numbers has one for each channel of a sample."""


class Access(StrEnum):
    """What the attacker sees of the model, strongest first."""

    GRADIENTS = "gradients"
    SCORES = "scores"
    LABELS = "labels"
    NOTHING = "nothing"

    def allows(self, needed: "Access") -> bool:
        """Whether a model that grants this much satisfies an attack that needs `needed`."""
        order = list(Access)
        return order.index(self) <= order.index(needed)


class Norm(StrEnum):
    """How the size of a perturbation is measured."""

    LINF = "linf"
    L2 = "l2"
    L1 = "l1"
    L0 = "l0"
    UNBOUNDED = "unbounded"


class Goal(StrEnum):
    """Any wrong label, or one label chosen beforehand."""

    UNTARGETED = "untargeted"
    TARGETED = "targeted"


class Budget(StrEnum):
    """Whether the attack spends a given epsilon or looks for the smallest."""

    FIXED = "fixed"
    MINIMAL = "minimal"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatModel:
    """What one attack assumes and supports; the planner checks it, the contract suite is drawn from it."""

    access: Access
    norms: frozenset[Norm]
    goals: frozenset[Goal] = frozenset({Goal.UNTARGETED})
    budget: Budget = Budget.FIXED
    stochastic: bool = False


def parse_box(plain: Sequence[Any] | None) -> Box | None:
    """A box from JSON."""
    if not plain:
        return None
    low, high = (tuple(end) if isinstance(end, list) else end for end in plain)
    return low, high


def plain_box(box: Box | None) -> list[Any] | None:
    """A box as JSON."""
    return [list(end) if isinstance(end, tuple) else end for end in box] if box else None


def span(box: Box) -> tuple[float, float]:
    """The lowest and the highest value that any channel allows."""
    low, high = box
    return min(low) if isinstance(low, tuple) else low, max(high) if isinstance(high, tuple) else high
