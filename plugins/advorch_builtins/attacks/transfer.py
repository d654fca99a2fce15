"""Transfer: Papernot, McDaniel and Goodfellow, 2016; from an ensemble: Liu, Chen, Liu and Song, "Delving into
transferable adversarial examples and black-box attacks", ICLR 2017.

Craft on models that the attacker has, hope for the one that it has not: z climbs -log of the mean of the surrogates'
probabilities of y, with momentum (Dong et al., CVPR 2018), all steps to the end, since what fools the surrogates by a
hair fools nobody else. The victim is asked nothing at all. Where it withstands, look first whether the surrogates
fell: an attack that fails at home says nothing about the victim, and models trained apart from it transfer worse.
"""

from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.directions import sign, sparse_l1, unit_l2
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.filters import accumulated
from advorch.kit.attack.loop import follow
from advorch.kit.attack.recipe import Recipe
from advorch.kit.attack.schedules import constant, share_of_epsilon
from advorch.kit.attack.surrogates import stand_in
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_black_box import TransferParams

_STEEPEST = {Norm.LINF: sign, Norm.L2: unit_l2, Norm.L1: sparse_l1(0.01)}


def perturb(victim: Victim, x: Tensor, y: Tensor, params: TransferParams, rng: Draws) -> Tensor:
    """The end of one ascent on the surrogates."""
    recipe = Recipe(
        steps=params.steps,
        direction=accumulated(params.decay, _STEEPEST[victim.norm]),
        schedule=share_of_epsilon(1.25 / params.steps) if params.alpha is None else constant(params.alpha),
    )
    substitute = stand_in(victim)
    with untouched(substitute.module):
        return follow(substitute, x, y, recipe, rng)
