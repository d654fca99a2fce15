"""Changes that nobody has optimised, described; each is in the file of its name."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import Access, AnyComponent, Attack, AttackFn, Count, Goal, Norm, Params, ThreatModel


class SmallRotationParams(Params):
    """How far the picture turns, which is the whole threat: epsilon has no meaning here."""

    degrees: Annotated[float, Field(gt=0, le=180, description="the largest angle, to either side")] = 5.0
    draws: Annotated[Count, Field(description="angles drawn for a sample that withstands")] = 10
    padding: Annotated[
        Literal["black", "reflect"],
        Field(description="what comes in from outside: the lowest legal value, or the picture mirrored at its edge"),
    ] = "black"


def _small_rotation() -> AttackFn[SmallRotationParams]:
    from advorch_builtins.attacks.small_rotation import perturb

    return perturb


SMALL_ROTATION = Attack(
    name="small-rotation",
    summary="the first of several small random rotations that fools: a control that is blind to the model",
    params=SmallRotationParams,
    load=_small_rotation,
    threat=ThreatModel(
        access=Access.LABELS,
        norms=frozenset({Norm.UNBOUNDED}),
        goals=frozenset({Goal.UNTARGETED, Goal.TARGETED}),
        stochastic=True,
    ),
)

COMPONENTS: tuple[AnyComponent, ...] = (SMALL_ROTATION,)
