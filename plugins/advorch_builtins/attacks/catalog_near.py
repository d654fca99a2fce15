"""Attacks made for training, that begin beside the sample, described."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import (
    Access,
    AnyComponent,
    Attack,
    AttackFn,
    Count,
    Goal,
    Norm,
    Params,
    Positive,
    Share,
    ThreatModel,
)


class NearPgdParams(Params):
    """Projected gradient steps away from what the model says of the sample."""

    steps: Annotated[Count, Field(description="gradient steps")] = 10
    alpha: Annotated[Positive | None, Field(description="length of a step; by default 2.5 epsilon / steps")] = None
    sigma: Annotated[Positive, Field(description="deviation of the normal noise that it begins with")] = 0.001
    loss: Annotated[
        Literal["kl", "cross-entropy"], Field(description="what is climbed: `kl` in TRADES, `cross-entropy` in MART")
    ] = "kl"


class RandomFgsmParams(Params):
    """One step from a random place."""

    noise: Annotated[Share, Field(description="where it begins: evenly within this share of epsilon")] = 1.0
    alpha: Annotated[Positive, Field(description="length of the step, as a share of epsilon")] = 1.25
    outside: Annotated[bool, Field(description="in training it may begin outside of the box of legal values")] = False


def _random_fgsm() -> AttackFn[RandomFgsmParams]:
    from advorch_builtins.attacks.random_fgsm import perturb

    return perturb


def _near_pgd() -> AttackFn[NearPgdParams]:
    from advorch_builtins.attacks.near_pgd import perturb

    return perturb


NEAR_PGD = Attack(
    name="near-pgd",
    summary="projected gradient ascent on KL(p(x) || p(z)) from beside the sample: the inner attack of TRADES",
    params=NearPgdParams,
    load=_near_pgd,
    threat=ThreatModel(access=Access.GRADIENTS, norms=frozenset({Norm.LINF, Norm.L2}), stochastic=True),
)

RANDOM_FGSM = Attack(
    name="random-fgsm",
    summary="one gradient step from a random place in the ball: the inner attack of fast adversarial training",
    params=RandomFgsmParams,
    load=_random_fgsm,
    threat=ThreatModel(
        access=Access.GRADIENTS,
        norms=frozenset({Norm.LINF}),
        goals=frozenset({Goal.UNTARGETED, Goal.TARGETED}),
        stochastic=True,
    ),
)

COMPONENTS: tuple[AnyComponent, ...] = (NEAR_PGD, RANDOM_FGSM)
