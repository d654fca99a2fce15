"""APGD: Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
attacks", ICML 2020; in l1 "Mind the box: l1-APGD for sparse adversarial attacks on image classifiers", ICML 2021.

z' = project(z + alpha d(grad)), z <- project(z + 0.75 (z' - z) + 0.25 (z - z_before)), alpha from 2 epsilon on, halved
at checkpoints where it does not pay; then on from the best point. In l1 the steps are sparse, without the momentum, and
the way leads through balls of three and two times the size. The cross-entropy fails on models whose logits are large;
the ratio of logit differences does not see their scale, but two classes have none: there it is the margin.
"""

from dataclasses import replace
from functools import partial

from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.auto_steps import adaptive_l1, auto_steps, sparse_auto_steps
from advorch.kit.attack.directions import sign, unit_l2
from advorch.kit.attack.dlr import dlr, rivals, targeted_dlr
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import Recipe, ascend, relay
from advorch.kit.attack.objectives import Objective, cross_entropy
from advorch.kit.attack.recipe import Aim, Approach, Walk
from advorch.kit.attack.schedules import share_of_epsilon
from advorch.kit.attack.starts import at_normal, at_random
from advorch.kit.attack.surveys import averaged
from advorch.kit.attack.victim import Finish, Victim
from advorch_builtins.attacks.catalog_apgd import ApgdParams, ApgdTargetedParams

_STEEPEST = {Norm.LINF: sign, Norm.L2: unit_l2, Norm.L1: adaptive_l1}
_WIDER = ((3, 0.3), (2, 0.3))  # times epsilon, for a share of the steps


def perturb_ce(victim: Victim, x: Tensor, y: Tensor, params: ApgdParams, rng: Draws) -> Tensor:
    """Ascents on the cross-entropy, one for each restart."""
    return ascend(victim, x, y, _recipe(victim.norm, params, cross_entropy), rng)


def perturb_dlr(victim: Victim, x: Tensor, y: Tensor, params: ApgdParams, rng: Draws) -> Tensor:
    """Ascents on the difference-of-logits ratio, one for each restart."""
    return ascend(victim, x, y, _recipe(victim.norm, params, dlr), rng)


def perturb_towards(victim: Victim, x: Tensor, y: Tensor, params: ApgdTargetedParams, rng: Draws) -> Tensor:
    """Ascents on the targeted ratio, one for each restart and each of the likeliest wrong classes."""
    recipe = _recipe(victim.norm, params, dlr)
    towards = [replace(recipe, aim=_aim(place)) for place in range(min(params.targets, victim.classes(x) - 1))]
    return relay(victim, x, y, towards * params.restarts, rng)


def ascent(norm: Norm, params: ApgdParams, objective: Objective) -> Recipe:
    """All steps inside the ball itself."""
    sparse = norm is Norm.L1
    return Recipe(
        steps=params.steps,
        direction=_STEEPEST[norm],
        schedule=share_of_epsilon(1.0 if sparse else 2.0),
        start=at_normal if sparse else at_random,
        objective=objective,
        slope=averaged(params.draws),
        restarts=params.restarts,
        bfloat16=params.precision == "bf16",
        advance=sparse_auto_steps(params.steps) if sparse else auto_steps(params.steps),
    )


def _recipe(norm: Norm, params: ApgdParams, objective: Objective) -> Recipe:
    """The same, in l1 after some steps in larger balls."""
    whole = ascent(norm, params, objective)
    if norm is not Norm.L1:
        return whole
    left = params.steps - sum(_part(share, params.steps) for _, share in _WIDER)
    approach = _through_wider_balls(params.steps)
    return replace(whole, steps=left, advance=sparse_auto_steps(left), approach=approach, ahead=params.steps - left)


def _through_wider_balls(steps: int) -> Approach:
    """The hardest point of a larger ball is a good place to be projected from."""

    def approach(walk: Walk, recipe: Recipe) -> Tensor:
        widest = walk.victim.resized(walk.ball.epsilon * _WIDER[0][0]).ball(walk.ball.x)
        z = at_normal(widest, walk.rng)
        for factor, share in _WIDER:
            part = _part(share, steps)
            z = _hardest(walk, recipe, factor, part, z) if part else z
        return walk.ball.project(z)

    return approach


def _hardest(walk: Walk, recipe: Recipe, factor: int, steps: int, z: Tensor) -> Tensor:
    wider = walk.victim.resized(walk.ball.epsilon * factor)
    wider.finish = Finish.HARDEST
    stage = replace(
        recipe,
        steps=steps,
        start=lambda ball, _: ball.project(z),
        advance=sparse_auto_steps(steps),
        approach=None,
        ahead=0,
        restarts=1,
    )
    return ascend(wider, walk.ball.x, walk.y, stage, walk.rng.fork(factor))


def _part(share: float, steps: int) -> int:
    return int(share * steps)


def _aim(place: int) -> Aim:
    """At the class that is so many places behind the likeliest wrong one, of the clean sample."""

    def aim(walk: Walk) -> Objective:
        if "target" not in walk.memory:
            clean = walk.victim.value(walk.ball.x, walk.y).logits
            walk.memory["target"] = rivals(walk.victim.of_classes(clean), walk.y)[:, place]
        return partial(targeted_dlr, target=walk.memory["target"])

    return aim
