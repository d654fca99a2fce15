"""EOT-PGD: Athalye et al., "Synthesizing robust adversarial examples", ICML 2018; against random defences Athalye,
Carlini and Wagner, "Obfuscated gradients give a false sense of security", ICML 2018.

PGD along the mean of gradients that are each propagated back through one draw: of the model, where it draws, and of a
view of the sample, where one is chosen. With a view the verdict is that of the sample itself. It fails where a mean of
few draws is noise: look at the cosine between two means, and take more draws.
"""

from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.directions import sign, sparse_l1, unit_l2
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import Recipe, ascend
from advorch.kit.attack.recipe import Walk
from advorch.kit.attack.resizing import check_images, resized_and_padded
from advorch.kit.attack.schedules import constant, share_of_epsilon
from advorch.kit.attack.starts import at_random
from advorch.kit.attack.surveys import Viewer, averaged, seen
from advorch.kit.attack.victim import Victim, View
from advorch_builtins.attacks.catalog_fixed import EotPgdParams

_DIRECTIONS = {Norm.LINF: sign, Norm.L2: unit_l2, Norm.L1: sparse_l1(0.01)}


def perturb(victim: Victim, x: Tensor, y: Tensor, params: EotPgdParams, rng: Draws) -> Tensor:
    """Projected ascents along mean gradients, one for each restart."""
    if params.view == "resize":
        check_images(x)
    return ascend(victim, x, y, _recipe(victim.norm, params), rng)


def _recipe(norm: Norm, params: EotPgdParams) -> Recipe:
    steps, direction = params.steps, _DIRECTIONS[norm]
    schedule = share_of_epsilon(2.5 / steps) if params.alpha is None else constant(params.alpha)
    restarts = params.restarts
    if params.view == "none":
        mean = averaged(params.draws)
        return Recipe(
            steps=steps, direction=direction, schedule=schedule, start=at_random, restarts=restarts, slope=mean
        )
    survey = seen(_viewer(params), params.draws)
    return Recipe(
        steps=steps, direction=direction, schedule=schedule, start=at_random, restarts=restarts, survey=survey
    )


def _viewer(params: EotPgdParams) -> Viewer:
    def viewer(walk: Walk) -> View:
        if params.view == "resize":
            return lambda z: resized_and_padded(z, params.least, 1.0, walk.rng)
        return lambda z: z + params.sigma * walk.rng.normal(z.shape[1:], like=z)

    return viewer
