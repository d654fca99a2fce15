"""What an attacker may know, change and want: plain data, no torch."""

from dataclasses import dataclass
from enum import StrEnum


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
