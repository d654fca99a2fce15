"""DIM (M-DI2-FGSM): Xie et al., "Improving transferability of adversarial examples with input diversity", CVPR 2019.

MIM whose gradient is taken through a view: with some probability the image is made smaller and padded with zeros to its
old size at a random place, every image of a batch its own way. The verdict is that of the image as it is. Against the
model that it was computed on it is weaker than MIM; a model that resizes on its own gains nothing from it.
"""

from dataclasses import replace

from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import ascend
from advorch.kit.attack.recipe import Walk
from advorch.kit.attack.resizing import check_images, resized_and_padded
from advorch.kit.attack.slopes import View
from advorch.kit.attack.surveys import seen
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_momentum import DimParams
from advorch_builtins.attacks.mim import momentum_recipe


def perturb(victim: Victim, x: Tensor, y: Tensor, params: DimParams, rng: Draws) -> Tensor:
    """One ascent with momentum along the gradients of changed images, from the sample."""
    check_images(x)

    def viewer(walk: Walk) -> View:
        return lambda z: resized_and_padded(z, params.least, params.probability, walk.rng)

    recipe = replace(momentum_recipe(victim.norm, params), survey=seen(viewer))
    return ascend(victim, x, y, recipe, rng)
