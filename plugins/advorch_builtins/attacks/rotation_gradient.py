"""Rotation and translation, first order: Engstrom, Tran, Tsipras, Schmidt and Madry, "Exploring the landscape of
spatial robustness", ICML 2019.

The picture is a differentiable function of three numbers, so projected sign steps climb in them:
p <- clip(p + alpha sign(grad_p J(warp(x, p), y)), -1, 1), from random poses. The paper's finding, and this attack's
known failure: three numbers make a rugged landscape, and a grid or a few draws find more.
"""

from functools import partial

from torch import Tensor

from advorch.kit.attack.directions import sign
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import ascend
from advorch.kit.attack.recipe import Recipe, Walk
from advorch.kit.attack.rows import per_sample
from advorch.kit.attack.schedules import constant
from advorch.kit.attack.slopes import Slope
from advorch.kit.attack.step import Direction, Schedule, Step
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Victim
from advorch.kit.attack.warp import Warp
from advorch_builtins.attacks.catalog_geometric import RotationGradientParams
from advorch_builtins.attacks.poses import drawn_pose, warp_of


def perturb(victim: Victim, x: Tensor, y: Tensor, params: RotationGradientParams, rng: Draws) -> Tensor:
    """Ascents in the pose; the walk's memory holds it, its point is the picture."""
    warp = warp_of(victim, params)
    recipe = Recipe(
        steps=params.steps,
        direction=sign,
        schedule=constant(params.alpha),
        start=partial(_first, warp),
        survey=partial(_slope_of_pose, warp),
        advance=partial(_turn, warp),
        restarts=params.restarts,
    )
    return ascend(victim, x, y, recipe, rng)


def _first(warp: Warp, ball: ThreatSet, rng: Draws) -> Tensor:
    return ball.project(warp(ball.x, _first_pose(ball.x, rng)))


def _first_pose(x: Tensor, rng: Draws) -> Tensor:
    """The same wherever it is asked for."""
    return drawn_pose(rng.fork("pose"), x)


def _slope_of_pose(warp: Warp, walk: Walk, recipe: Recipe) -> Slope:
    """What the model says of the picture, and which way that rises with the pose."""
    images = walk.ball.x
    pose = walk.memory.setdefault("pose", _first_pose(images, walk.rng))
    return walk.victim.value_and_gradient(pose, walk.y, walk.objective(recipe), view=lambda p: warp(images, p))


def _turn(warp: Warp, step: Step, direction: Direction, schedule: Schedule) -> Tensor:
    moved = step.memory["pose"] + direction(step) * per_sample(schedule(step), step.gradient)
    step.memory["pose"] = moved.clamp(-1, 1)
    return step.ball.project(warp(step.ball.x, step.memory["pose"]))
