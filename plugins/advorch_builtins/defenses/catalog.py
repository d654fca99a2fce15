"""Training that makes models robust."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from advorch.api import (
    AnyComponent,
    AttackRef,
    Components,
    Kind,
    Objective,
    ObjectiveFn,
    Params,
    Positive,
    Share,
    hookimpl,
)
from advorch.kit.training.loss_names import LossName

AttackMode = Annotated[Literal["eval", "train"], Field(description="mode of batch norm and dropout while attacking")]


class MixParams(Params):
    """A loss on clean and on adversarial samples."""

    alpha: Annotated[
        Share,
        Field(description="weight of the clean loss: 0 trains on adversarial examples alone, 0.5 is Goodfellow's mix"),
    ] = 0.0
    mode: AttackMode = "eval"
    loss: LossName = "cross-entropy"


class AdversarialParams(MixParams):
    """Adversarial training with any attack."""

    attack: Annotated[AttackRef, Field(description="run on every batch, with its own epsilon and norm")]


def _adversarial() -> ObjectiveFn[AdversarialParams]:
    from advorch_builtins.defenses.adversarial import loss

    return loss


ADVERSARIAL = Objective(
    name="adversarial",
    summary="adversarial training: alpha J(x) + (1 - alpha) J(x_adv), by any attack (Goodfellow 2015, Madry 2018)",
    params=AdversarialParams,
    load=_adversarial,
    stage=Kind.DEFEND,
)


class DistillationParams(Params):
    """Papernot et al. 2016. Gradients are smaller by the temperature: plain SGD wants a rate that is larger by it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"temperature": 2.0}]})

    temperature: Annotated[
        Positive, Field(description="divides the logits of pupil and teacher in training, and not afterwards")
    ] = 100.0


def _distillation() -> ObjectiveFn[DistillationParams]:
    from advorch_builtins.defenses.distillation import loss

    return loss


DISTILLATION = Objective(
    name="distillation",
    summary="defensive distillation, broken by Carlini and Wagner: a teacher's probabilities at a high temperature",
    params=DistillationParams,
    load=_distillation,
    stage=Kind.DEFEND,
    teacher=True,
)


@hookimpl
def advorch_components() -> Components:
    """Every defence that comes with advorch."""
    from advorch_builtins.defenses import (
        catalog_fast,
        catalog_losses,
        catalog_parts,
        catalog_presets,
        catalog_surrounding,
    )

    every: tuple[AnyComponent, ...] = (
        ADVERSARIAL, DISTILLATION, *catalog_losses.COMPONENTS, *catalog_fast.COMPONENTS,
        *catalog_parts.COMPONENTS, *catalog_presets.COMPONENTS, *catalog_surrounding.COMPONENTS,
    )  # fmt: skip
    return every
