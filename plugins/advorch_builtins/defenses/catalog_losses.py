"""Defences that are a loss of clean and adversarial samples together, described."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import AnyComponent, AttackRef, Kind, NonNegative, Objective, ObjectiveFn, Params, Share
from advorch_builtins.defenses.catalog import AttackMode


class TradesParams(Params):
    """Zhang et al. 2019, as on CIFAR-10; on MNIST lambda 1, and epsilon 0.3 in 40 steps of 0.01."""

    lambda_: Annotated[
        NonNegative, Field(alias="lambda", description="weight of the divergence: `beta` in the authors' code")
    ] = 6.0
    attack: Annotated[AttackRef, Field(description="the paper's is `near-pgd`, which climbs the divergence itself")] = (
        AttackRef(uses="near-pgd", with_={"epsilon": 0.031, "steps": 10, "alpha": 0.007, "loss": "kl"})
    )
    mode: AttackMode = "eval"


class MartParams(Params):
    """Wang et al. 2020, as for the ResNet-18 on CIFAR-10."""

    lambda_: Annotated[
        NonNegative, Field(alias="lambda", description="weight of the divergence; 6 for the wide network")
    ] = 5.0
    attack: Annotated[AttackRef, Field(description="the paper's climbs the cross-entropy from beside the sample")] = (
        AttackRef(uses="near-pgd", with_={"epsilon": 0.031, "steps": 10, "alpha": 0.007, "loss": "cross-entropy"})
    )
    mode: AttackMode = "eval"


class MultiAttackParams(Params):
    """Several attacks in one training."""

    attacks: Annotated[
        tuple[AttackRef, ...], Field(min_length=1, description="each with an epsilon and a norm of its own")
    ]
    combine: Annotated[
        Literal["cycle", "average", "worst"],
        Field(
            description="one after the other by batch (`cycle`), the mean of their losses, or of each sample the "
            "highest loss"
        ),
    ] = "cycle"
    mode: AttackMode = "eval"


class HiddenParams(Params):
    """Perturbed activations."""

    layers: Annotated[
        tuple[str, ...], Field(description="as `named_modules` calls them; by default every activation function")
    ] = ()
    epsilon: Annotated[NonNegative, Field(description="size of the step, in linf")] = 0.1
    relative: Annotated[
        bool, Field(description="epsilon in units of the root mean square of what the layer says of the sample")
    ] = True
    alpha: Annotated[Share, Field(description="weight of the clean loss")] = 0.5
    mode: AttackMode = "eval"


def _trades() -> ObjectiveFn[TradesParams]:
    from advorch_builtins.defenses.trades import loss

    return loss


def _mart() -> ObjectiveFn[MartParams]:
    from advorch_builtins.defenses.mart import loss

    return loss


def _multi_attack() -> ObjectiveFn[MultiAttackParams]:
    from advorch_builtins.defenses.multi_attack import loss

    return loss


def _hidden() -> ObjectiveFn[HiddenParams]:
    from advorch_builtins.defenses.hidden import loss

    return loss


TRADES = Objective(
    name="trades",
    summary="TRADES: the cross-entropy of clean samples, and lambda KL(p(x) || p(x')) (Zhang et al. 2019)",
    params=TradesParams,
    load=_trades,
    stage=Kind.DEFEND,
)

MART = Objective(
    name="mart",
    summary="MART: a margin loss of adversarial samples, and the divergence where the model errs (Wang et al. 2020)",
    params=MartParams,
    load=_mart,
    stage=Kind.DEFEND,
)

MULTI_ATTACK = Objective(
    name="multi-attack",
    summary="adversarial training on several attacks: by turns, on average, or on each sample's worst",
    params=MultiAttackParams,
    load=_multi_attack,
    stage=Kind.DEFEND,
)

HIDDEN = Objective(
    name="hidden",
    summary="adversarial training on perturbed activations of chosen hidden layers (Goodfellow 2015)",
    params=HiddenParams,
    load=_hidden,
    stage=Kind.DEFEND,
)

COMPONENTS: tuple[AnyComponent, ...] = (TRADES, MART, MULTI_ATTACK, HIDDEN)
