"""EOT-PGD: Athalye et al., "Synthesizing robust adversarial examples", ICML 2018; against random defences Athalye,
Carlini and Wagner, "Obfuscated gradients give a false sense of security", ICML 2018.

PGD along the mean of gradients that are each propagated back through one draw: of the model, where it draws, and of a
view of the sample, where one is chosen; any differentiable function of a batch and its random numbers will do. With a
view the verdict is that of the sample itself. It fails where a mean of few draws is noise: look at the cosine between
two means, and take more draws.
"""

import importlib
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import TypeAlias

from torch import Tensor

from advorch.api import Box, ErrorClass, Norm, StageFailed
from advorch.kit.attack.directions import sign, sparse_l1, unit_l2
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import Recipe, ascend
from advorch.kit.attack.recipe import Walk
from advorch.kit.attack.resizing import check_images, resized_and_padded
from advorch.kit.attack.schedules import constant, share_of_epsilon
from advorch.kit.attack.slopes import View
from advorch.kit.attack.starts import at_random
from advorch.kit.attack.surveys import averaged, seen
from advorch.kit.attack.victim import Victim
from advorch.kit.attack.warp import Warp, black_of
from advorch_builtins.attacks.catalog_fixed import EotPgdParams
from advorch_builtins.attacks.poses import drawn_pose

Transformation: TypeAlias = Callable[[Tensor, Draws], Tensor]

_DIRECTIONS = {Norm.LINF: sign, Norm.L2: unit_l2, Norm.L1: sparse_l1(0.01)}


def perturb(victim: Victim, x: Tensor, y: Tensor, params: EotPgdParams, rng: Draws) -> Tensor:
    """Projected ascents along mean gradients, one for each restart."""
    if params.view in ("resize", "pose"):
        check_images(x)
    return ascend(victim, x, y, _recipe(victim.norm, victim.box, params), rng)


def _recipe(norm: Norm, box: Box | None, params: EotPgdParams) -> Recipe:
    steps, direction = params.steps, _DIRECTIONS[norm]
    schedule = share_of_epsilon(2.5 / steps) if params.alpha is None else constant(params.alpha)
    restarts = params.restarts
    if params.view == "none":
        mean = averaged(params.draws)
        return Recipe(
            steps=steps, direction=direction, schedule=schedule, start=at_random, restarts=restarts, slope=mean
        )
    survey = seen(partial(_shown, _transformation(params, box)), params.draws)
    return Recipe(
        steps=steps, direction=direction, schedule=schedule, start=at_random, restarts=restarts, survey=survey
    )


def _shown(transformation: Transformation, walk: Walk) -> View:
    return lambda z: transformation(z, walk.rng)


def _transformation(params: EotPgdParams, box: Box | None) -> Transformation:
    """What the model is shown of a batch, with the random numbers of its samples."""
    if params.view == "noise":
        return lambda z, rng: z + params.sigma * rng.normal(z.shape[1:], like=z)
    if params.view == "resize":
        return lambda z, rng: resized_and_padded(z, params.least, 1.0, rng)
    if params.view == "pose":
        warp = Warp(degrees=params.degrees, shift=params.shift, black=black_of(box))
        return lambda z, rng: warp(z, drawn_pose(rng, z))
    return _imported(params.view)


def _imported(target: str) -> Transformation:
    """A function of the user's own."""
    module, _, name = target.partition(":")
    try:
        found: Transformation = attrgetter(name)(importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        hint = "`view` is package.module:function, importable where the stage runs, called with a batch and its draws"
        raise StageFailed(f"cannot find '{target}': {error}", error_class=ErrorClass.USER, hint=hint) from error
    return found
