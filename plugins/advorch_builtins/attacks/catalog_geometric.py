"""Attacks that move, turn, mask or paint instead of adding noise, described; each is in the file of its name."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import Access, AnyComponent, Attack, AttackFn, Count, Goal, Norm, Params, Positive, Share, ThreatModel

_BOTH_GOALS = frozenset({Goal.UNTARGETED, Goal.TARGETED})
_ANYWHERE = frozenset({Norm.UNBOUNDED})


class PoseParams(Params):
    """How far a picture may be turned and shifted, which is the whole threat: epsilon has no meaning here."""

    degrees: Annotated[float, Field(ge=0, le=180, description="the largest angle, to either side")] = 30.0
    shift: Annotated[Share, Field(description="the largest translation along each axis, as a share of the side")] = 0.1
    padding: Annotated[
        Literal["black", "reflect"],
        Field(description="what comes in from outside: the lowest legal value, or the picture mirrored at its edge"),
    ] = "black"


class RotationGridParams(PoseParams):
    """Every pose of a grid."""

    angles: Annotated[Count, Field(description="angles, from one end to the other")] = 31
    places: Annotated[Count, Field(description="translations along each axis, from one end to the other")] = 5


class RotationRandomParams(PoseParams):
    """The worst of several poses."""

    draws: Annotated[Count, Field(description="poses drawn for each sample")] = 10


class RotationGradientParams(PoseParams):
    """Gradient steps of the pose."""

    steps: Annotated[Count, Field(description="gradient steps of each ascent")] = 20
    alpha: Annotated[Positive, Field(description="length of a step, as a share of the largest angle or shift")] = 0.1
    restarts: Annotated[Count, Field(description="random poses to start from, for a sample that withstands")] = 1


def _rotation_grid() -> AttackFn[RotationGridParams]:
    from advorch_builtins.attacks.rotation_grid import perturb

    return perturb


def _rotation_random() -> AttackFn[RotationRandomParams]:
    from advorch_builtins.attacks.rotation_random import perturb

    return perturb


def _rotation_gradient() -> AttackFn[RotationGradientParams]:
    from advorch_builtins.attacks.rotation_gradient import perturb

    return perturb


ROTATION_GRID = Attack(
    name="rotation-grid",
    summary="every rotation and translation of a grid; each sample keeps its own worst",
    params=RotationGridParams,
    load=_rotation_grid,
    threat=ThreatModel(access=Access.SCORES, norms=_ANYWHERE, goals=_BOTH_GOALS),
)

ROTATION_RANDOM = Attack(
    name="rotation-random",
    summary="several random rotations and translations; each sample keeps its own worst",
    params=RotationRandomParams,
    load=_rotation_random,
    threat=ThreatModel(access=Access.SCORES, norms=_ANYWHERE, goals=_BOTH_GOALS, stochastic=True),
)

ROTATION_GRADIENT = Attack(
    name="rotation-gradient",
    summary="gradient steps of angle and translation from random poses",
    params=RotationGradientParams,
    load=_rotation_gradient,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_ANYWHERE, goals=_BOTH_GOALS, stochastic=True),
)

COMPONENTS: tuple[AnyComponent, ...] = (ROTATION_GRID, ROTATION_RANDOM, ROTATION_GRADIENT)
