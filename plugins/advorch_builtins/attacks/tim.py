"""TIM: Dong et al., "Evading defenses to transferable examples by translation-invariant attacks", CVPR 2019.

MIM whose gradient is first convolved, channel by channel, with a Gaussian kernel: to first order the mean gradient over
shifted images, at the cost of one. Smooth perturbations transfer; against the model itself they are weaker, and on
images hardly larger than the kernel weak.
"""

from dataclasses import replace

from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.filters import smoothed
from advorch.kit.attack.loop import ascend
from advorch.kit.attack.resizing import check_images
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_momentum import TimParams
from advorch_builtins.attacks.mim import momentum_recipe


def perturb(victim: Victim, x: Tensor, y: Tensor, params: TimParams, rng: Draws) -> Tensor:
    """One ascent with momentum over smooth gradients, from the sample."""
    check_images(x)
    recipe = momentum_recipe(victim.norm, params)
    return ascend(victim, x, y, replace(recipe, direction=smoothed(params.reach, recipe.direction)), rng)
