"""Adversarial training as three papers have it: other defaults, the same loss."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, AttackRef, Kind, Objective, ObjectiveFn, Share
from advorch_builtins.defenses.catalog import AdversarialParams

_ATTACK = Field(description="run on every batch, with its own epsilon and norm")


class FgsmAtParams(AdversarialParams):
    """Goodfellow et al. 2015 on MNIST, whose maxout nets err on 17.9 % under FGSM (before: 89.4 %)."""

    attack: Annotated[AttackRef, _ATTACK] = AttackRef(uses="fgsm", with_={"epsilon": 0.25})
    alpha: Annotated[Share, Field(description="weight of the clean loss")] = 0.5


class PgdAtParams(AdversarialParams):
    """Madry et al. 2018 on MNIST: 93.2 % under PGD-40, 89.3 % under PGD-100 from 20 starts, clean 98.8 %."""

    attack: Annotated[AttackRef, _ATTACK] = AttackRef(
        uses="pgd", with_={"epsilon": 0.3, "steps": 40, "alpha": 0.01, "random_start": True}
    )


class MimAtParams(AdversarialParams):
    """PGD training with the momentum of Dong et al. 2018, at 8/255."""

    attack: Annotated[AttackRef, _ATTACK] = AttackRef(
        uses="mim", with_={"epsilon": 8 / 255, "steps": 10, "alpha": 2 / 255, "decay": 1.0}
    )


def _adversarial() -> ObjectiveFn[AdversarialParams]:
    from advorch_builtins.defenses.adversarial import loss

    return loss


FGSM_AT = Objective(
    name="fgsm-at",
    summary="adversarial training on an even mix of clean and FGSM examples (Goodfellow 2015)",
    params=FgsmAtParams,
    load=_adversarial,
    stage=Kind.DEFEND,
)

PGD_AT = Objective(
    name="pgd-at",
    summary="adversarial training on PGD examples alone (Madry 2018)",
    params=PgdAtParams,
    load=_adversarial,
    stage=Kind.DEFEND,
)

MIM_AT = Objective(
    name="mim-at",
    summary="adversarial training on momentum examples alone (Dong 2018)",
    params=MimAtParams,
    load=_adversarial,
    stage=Kind.DEFEND,
)

COMPONENTS: tuple[AnyComponent, ...] = (FGSM_AT, PGD_AT, MIM_AT)
