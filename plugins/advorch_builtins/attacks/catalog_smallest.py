"""The search that makes a minimal-budget attack of a fixed-budget one, described."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import Access, AnyComponent, Attack, AttackFn, Budget, Count, Goal, Norm, Params, Positive, ThreatModel


class SmallestParams(Params):
    """Which attack to repeat, and how far to look."""

    base: Annotated[Literal["fgsm", "bim", "pgd"], Field(description="the attack that is tried at each epsilon")] = (
        "fgsm"
    )
    steps: Annotated[Count, Field(description="gradient steps of each try; fgsm always takes one")] = 10
    largest: Annotated[
        Positive | None, Field(description="the largest epsilon tried; by default what crosses the whole box")
    ] = None


def _smallest() -> AttackFn[SmallestParams]:
    from advorch_builtins.attacks.smallest import perturb

    return perturb


SMALLEST = Attack(
    name="smallest",
    summary="the smallest epsilon at which FGSM, BIM or PGD fools each sample: doubled, then halved",
    params=SmallestParams,
    load=_smallest,
    threat=ThreatModel(
        access=Access.GRADIENTS,
        norms=frozenset({Norm.LINF, Norm.L2}),  # in l1 the corner of the loss is no way to the nearest boundary
        goals=frozenset({Goal.UNTARGETED, Goal.TARGETED}),
        budget=Budget.MINIMAL,
        stochastic=True,
    ),
)

COMPONENTS: tuple[AnyComponent, ...] = (SMALLEST,)
