"""NIM (NI-FGSM): Lin et al., "Nesterov accelerated gradient and scale invariance for adversarial attacks", ICLR 2020.

MIM whose gradient is taken at z + alpha decay g, where the momentum leads, instead of at z. Like MIM it is made to
transfer; with few numbers in a sample g is long, and it looks too far ahead.
"""

from dataclasses import replace

from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import ascend
from advorch.kit.attack.recipe import Walk
from advorch.kit.attack.rows import per_sample
from advorch.kit.attack.slopes import View
from advorch.kit.attack.surveys import Viewer, seen
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_momentum import NimParams
from advorch_builtins.attacks.mim import momentum_recipe


def perturb(victim: Victim, x: Tensor, y: Tensor, params: NimParams, rng: Draws) -> Tensor:
    """One ascent with momentum that looks ahead, from the sample."""
    recipe = replace(momentum_recipe(victim.norm, params), survey=seen(_ahead(params)))
    return ascend(victim, x, y, recipe, rng)


def _ahead(params: NimParams) -> Viewer:
    def viewer(walk: Walk) -> View:
        momentum = walk.memory.get("momentum")
        if momentum is None:
            return lambda z: z
        alpha = walk.ball.epsilon / params.steps if params.alpha is None else params.alpha
        shift = momentum * per_sample(walk.ball.epsilon.new_ones(len(walk.z)) * alpha * params.decay, momentum)
        return lambda z: z + shift

    return viewer
