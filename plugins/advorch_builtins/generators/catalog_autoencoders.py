"""Autoencoders whose codes have a law that samples are drawn from, described."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import AnyComponent, Count, Generator, GeneratorFn, NonNegative, Params, Positive
from advorch_builtins.generators.params import Rate

_NOISE = "deviation of the noise that is added to inputs, as a share of the data's range"


class AutoencoderParams(Params):
    """Two perceptrons, one from samples to codes and one back."""

    latent: Annotated[Count, Field(description="size of a code")] = 8
    hidden: Annotated[
        tuple[Count, ...], Field(min_length=1, description="widths of the encoder's layers; the decoder's, backwards")
    ] = (1000, 1000)
    norm: Annotated[Literal["batch", "none"], Field(description="before each activation of the encoder")] = "batch"
    lr: Annotated[Positive, Field(description="of Adam, for the reconstruction")] = 1e-3


class VaeParams(AutoencoderParams):
    """Kingma and Welling 2014."""

    beta: Annotated[NonNegative, Field(description="weight of the divergence from the prior")] = 1.0


class AaeParams(AutoencoderParams):
    """Makhzani et al. 2015."""

    noise: Annotated[NonNegative, Field(description=_NOISE)] = 0.0
    critic: Annotated[
        tuple[Count, ...], Field(min_length=1, description="widths of the hidden layers of the critic of codes")
    ] = (1000, 1000)
    lr_adversarial: Annotated[Positive, Field(description="of Adam, for critic and encoder")] = 5e-4
    betas: Annotated[tuple[Rate, Rate], Field(description="of Adam, for critic and encoder")] = (0.5, 0.9)
    spread: Annotated[Positive, Field(description="deviation of the normal prior")] = 1.0


class AaePlainParams(AaeParams):
    """No labels."""


class AaeShapedParams(AaeParams):
    """Labels say where in the prior a code belongs."""

    latent: Annotated[Literal[2], Field(description="the prior lies in the plane")] = 2
    prior: Annotated[
        Literal["mixture", "swiss-roll"],
        Field(description="a petal for each class around the origin, or a stretch of one roll"),
    ] = "mixture"
    spread: Annotated[Positive, Field(description="factor of the prior's size")] = 1.0


class AaeStyleParams(AaeParams):
    """The label goes to the decoder, so that codes hold what is left: the style."""

    latent: Annotated[Count, Field(description="size of a style")] = 15


class AaeSemiParams(AaeParams):
    """The encoder classifies, and learns to from the few samples at the port `labelled`."""

    latent: Annotated[Count, Field(description="size of a style")] = 10
    noise: Annotated[NonNegative, Field(description=_NOISE)] = 0.3
    lr_labels: Annotated[Positive, Field(description="of Adam, for the labelled samples")] = 1e-3


def _vae() -> GeneratorFn[VaeParams]:
    from advorch_builtins.generators.vae import vae

    return vae


def _aae() -> GeneratorFn[AaePlainParams]:
    from advorch_builtins.generators.aae import aae

    return aae


def _aae_shaped() -> GeneratorFn[AaeShapedParams]:
    from advorch_builtins.generators.aae_shaped import aae_shaped

    return aae_shaped


def _aae_style() -> GeneratorFn[AaeStyleParams]:
    from advorch_builtins.generators.aae_style import aae_style

    return aae_style


def _aae_semi() -> GeneratorFn[AaeSemiParams]:
    from advorch_builtins.generators.aae_semi import aae_semi

    return aae_semi


_GAME = frozenset({"autoencoder_loss", "critic_loss", "encoder_loss"})

COMPONENTS: tuple[AnyComponent, ...] = (
    Generator(
        name="vae",
        summary="Variational autoencoder: codes are normal by a divergence in closed form",
        params=VaeParams,
        load=_vae,
        metrics=frozenset({"autoencoder_loss"}),
    ),
    Generator(
        name="aae",
        summary="Adversarial autoencoder: a critic of codes makes them follow a normal prior",
        params=AaePlainParams,
        load=_aae,
        metrics=_GAME,
    ),
    Generator(
        name="aae-shaped",
        summary="Adversarial autoencoder whose critic is told labels: each class has its part of a prior in the plane",
        params=AaeShapedParams,
        load=_aae_shaped,
        metrics=_GAME,
    ),
    Generator(
        name="aae-style",
        summary="Adversarial autoencoder whose decoder is told the class, so that codes hold the style",
        params=AaeStyleParams,
        load=_aae_style,
        metrics=_GAME,
    ),
    Generator(
        name="aae-semi",
        summary="Adversarial autoencoder that classifies, from a few labels, in three phases",
        params=AaeSemiParams,
        load=_aae_semi,
        metrics=_GAME | {"classifier_loss"},
        labelled=True,
    ),
)
