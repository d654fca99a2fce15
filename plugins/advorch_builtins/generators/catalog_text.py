"""Autoencoders of sentences with a learnt law of codes, and stages for them, described."""

from typing import Annotated

from pydantic import Field

from advorch.api import (
    AnyComponent,
    ArtifactType,
    Count,
    Generator,
    GeneratorFn,
    Kind,
    NonNegative,
    Params,
    Port,
    Positive,
    Stage,
    StageFn,
)
from advorch_builtins.generators.params import Rate


class AraeParams(Params):
    """Zhao et al. 2018."""

    embedding: Annotated[Count, Field(description="numbers a word")] = 128
    code: Annotated[Count, Field(description="size of a code, and of the hidden state of both networks")] = 128
    noise_size: Annotated[Count, Field(description="size of the normal noise that codes are generated from")] = 32
    hidden: Annotated[tuple[Count, ...], Field(min_length=1, description="of the generator and critic of codes")] = (
        128,
        128,
    )
    k: Annotated[Count, Field(description="critic steps in each step")] = 5
    lambda_: Annotated[NonNegative, Field(alias="lambda", description="weight of the critic's gradient penalty")] = 1.0
    noise: Annotated[
        NonNegative, Field(description="deviation of the noise on codes that are decoded in training, at the start")
    ] = 0.1
    noise_decay: Annotated[Rate, Field(description="what is left of it after every 100 steps")] = 0.9995
    lr: Annotated[Positive, Field(description="of Adam, for the autoencoder")] = 1e-3
    lr_adversarial: Annotated[Positive, Field(description="of Adam, for generator and critic of codes")] = 1e-4
    betas: Annotated[tuple[Rate, Rate], Field(description="of Adam, for generator and critic of codes")] = (0.5, 0.999)
    lr_encoder: Annotated[
        NonNegative, Field(description="of gradient descent, with which the encoder meets the generator half-way")
    ] = 0.1


class AraePlainParams(AraeParams):
    """One decoder."""


class AraeTransferParams(AraeParams):
    """A decoder for each class, and codes that do not tell it."""

    lambda_class: Annotated[NonNegative, Field(description="weight of hiding the class from a classifier of codes")] = (
        1.0
    )


class TransferParams(Params):
    """The same content in another class."""

    to: Annotated[
        int | str | None, Field(description="the class, by number or name; default: the one after each sample's own")
    ] = None


def _arae() -> GeneratorFn[AraePlainParams]:
    from advorch_builtins.generators.arae import arae

    return arae


def _arae_transfer() -> GeneratorFn[AraeTransferParams]:
    from advorch_builtins.generators.arae_transfer import arae_transfer

    return arae_transfer


def _transfer() -> StageFn[TransferParams]:
    from advorch_builtins.generators.transferring import transfer

    return transfer


_GAME = frozenset({"autoencoder_loss", "critic_loss", "generator_loss", "encoder_loss"})

COMPONENTS: tuple[AnyComponent, ...] = (
    Generator(
        name="arae",
        summary="Adversarially regularised autoencoder of sentences: codes meet those of a generator, which is learnt",
        params=AraePlainParams,
        load=_arae,
        metrics=_GAME,
        words=True,
    ),
    Generator(
        name="arae-transfer",
        summary="The same with a decoder for each class, so that what one says can be said as the other",
        params=AraeTransferParams,
        load=_arae_transfer,
        metrics=_GAME | {"classifier_loss"},
        words=True,
    ),
    Stage(
        name="transfer",
        summary="samples encoded, and decoded as another class",
        params=TransferParams,
        load=_transfer,
        stage=Kind.GENERATE,
        metrics=frozenset({"samples"}),
        consumes={"generator": Port(ArtifactType.GENERATOR), "data": Port(ArtifactType.DATASET)},
        produces={"samples": Port(ArtifactType.SAMPLES)},
    ),
)
