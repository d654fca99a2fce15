"""The smallest epsilon at which a fixed-budget attack fools: the yardstick for FGSM of Moosavi-Dezfooli, Fawzi and
Frossard, "DeepFool: a simple and accurate method", CVPR 2016, section 4.1.

For each sample epsilon is doubled until the attack fools, then the gap below is halved ten times, so that it is known
to a thousandth of itself. FGSM may fool at one epsilon and not at a larger one: what is found is the first crossing
that the doubling meets, not the infimum. Attacks made for the smallest perturbation (DDN, FMN) go lower for less.
"""

from typing import Any

import torch
from torch import Tensor

from advorch.api import AttackFn, Budget, ErrorClass, Norm, Params, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.smallest import smallest_epsilon
from advorch.kit.attack.victim import Victim
from advorch.kit.box import ends_of
from advorch_builtins.attacks import bim, fgsm, pgd
from advorch_builtins.attacks.catalog import FgsmParams, PgdParams
from advorch_builtins.attacks.catalog_fixed import BimParams
from advorch_builtins.attacks.catalog_smallest import SmallestParams


def perturb(victim: Victim, x: Tensor, y: Tensor, params: SmallestParams, rng: Draws) -> Tensor:
    """The adversarial at the smallest epsilon; where there is none, the attack at the largest."""
    attack, settings = _base(params)
    largest = victim.ball(x).epsilon if victim.budget is Budget.FIXED else _reach(victim, x, params)
    spending = _spending(victim, largest)
    found = smallest_epsilon(attack, spending, x, y, settings, rng, largest=largest)
    standing = found.epsilon.isinf().nonzero().squeeze(1)
    if not len(standing):
        return found.z
    last = attack(spending.take(standing), x[standing], y[standing], settings, rng.take(standing))
    return found.z.index_copy(0, standing, last.detach())


def _base(params: SmallestParams) -> tuple[AttackFn[Any], Params]:
    known: dict[str, tuple[AttackFn[Any], Params]] = {
        "fgsm": (fgsm.perturb, FgsmParams()),
        "bim": (bim.perturb, BimParams(steps=params.steps)),
        "pgd": (pgd.perturb, PgdParams(steps=params.steps)),
    }
    return known[params.base]


def _spending(victim: Victim, epsilon: Tensor) -> Victim:
    """The same victim with a ball to stay in; what is asked of it counts here."""
    spending = victim.resized(epsilon)
    spending.budget = Budget.FIXED
    return spending


def _reach(victim: Victim, x: Tensor, params: SmallestParams) -> Tensor:
    """From one corner of the box to the opposite one, unless a largest epsilon is given."""
    if params.largest is not None:
        return x.new_full((len(x),), params.largest)
    if victim.box is None:
        hint = "the data has no box: say how far to look, `largest: 10`"
        raise StageFailed("attack/smallest has no largest epsilon", error_class=ErrorClass.USER, hint=hint)
    low, high = ends_of(victim.box, tuple(x.shape[1:]), x)
    sides = (high - low).expand(x.shape[1:]).flatten()
    order = 2.0 if victim.norm is Norm.L2 else torch.inf
    return x.new_full((len(x),), float(torch.linalg.vector_norm(sides, ord=order)))
