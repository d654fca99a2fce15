"""What this plugin contributes: a description that is cheap to import; the work is in `attack.py`."""

from typing import Annotated

from pydantic import Field

from advorch.api import (
    Access,
    Attack,
    AttackFn,
    Components,
    Count,
    Goal,
    NonNegative,
    Norm,
    Params,
    ThreatModel,
    hookimpl,
)


class SmoothedParams(Params):
    """How far the gradient is averaged; epsilon and norm belong to whoever uses the attack."""

    steps: Annotated[Count, Field(description="gradient steps")] = 10
    draws: Annotated[Count, Field(description="noisy points whose gradients are averaged, at every step")] = 4
    sigma: Annotated[NonNegative, Field(description="standard deviation of the noise, in the data's own units")] = 0.05


def _load() -> AttackFn[SmoothedParams]:
    from advorch_example.attack import perturb

    return perturb


ATTACK = Attack(
    name="smoothed-pgd",
    summary="projected gradient ascent along a gradient averaged over Gaussian noise (Wu and Zhu 2018)",
    params=SmoothedParams,
    load=_load,
    threat=ThreatModel(
        access=Access.GRADIENTS,
        norms=frozenset({Norm.LINF, Norm.L2}),
        goals=frozenset({Goal.UNTARGETED, Goal.TARGETED}),
        stochastic=True,
    ),
)


@hookimpl
def advorch_components() -> Components:
    """Everything that this plugin contributes."""
    return [ATTACK]
