"""Targeted difference of losses: Kolter and Madry, "Adversarial robustness: theory and practice", NeurIPS 2018.

r <- project(r + alpha grad [L(x + r, y) - L(x + r, target)]) by plain gradient steps. The normalisers of the two
cross-entropies cancel, so that the target's logit rises against the label's, and the gradient outlives the
softmax. Without a target of its own the likeliest wrong class is taken; with one, the likeliest other class is left.
It fails where a third class wins, and with an alpha that does not fit the model: the step is not normalised.
"""

from dataclasses import replace
from functools import partial

from torch import Tensor

from advorch.kit.attack.dlr import difference, rivals
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import ascend
from advorch.kit.attack.objectives import Objective, margin
from advorch.kit.attack.recipe import Walk
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_fixed import DifferenceParams
from advorch_builtins.attacks.proximal import raw_ascent


def perturb(victim: Victim, x: Tensor, y: Tensor, params: DifferenceParams, rng: Draws) -> Tensor:
    """Ascents on the difference, one for each restart."""
    return ascend(victim, x, y, replace(raw_ascent(params), objective=margin, aim=_aim), rng)


def _aim(walk: Walk) -> Objective:
    """The difference to the class that is the likeliest of the clean sample beside `y`."""
    if "other" not in walk.memory:
        clean = walk.victim.value(walk.ball.x, walk.y).logits
        walk.memory["other"] = rivals(walk.victim.of_classes(clean), walk.y)[:, 0]
    return partial(difference, target=walk.memory["other"])
