"""The generators that ship with advorch: games of two perceptrons or convolutional nets, by their papers."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import Components, Count, Generator, GeneratorFn, NonNegative, Positive, hookimpl
from advorch_builtins.generators.params import ConditionedParams, K, PlayersParams, Rate, Warmup

_LOSSES = frozenset({"generator_loss", "critic_loss"})
_GP = Field(alias="lambda", description="weight of the gradient penalty at one random place for each sample")


class GanParams(ConditionedParams):
    """Goodfellow et al. 2014; with `lambda` 0 it is the game that collapses on mixtures, 0.1 cures it."""

    network: Annotated[
        Literal["auto", "perceptron", "convolution"],
        Field(description="auto: convolutions for images of at least 16 pixels a side"),
    ] = "perceptron"
    objective: Annotated[Literal["saturating", "non-saturating"], Field(description="what the generator minimises")] = (
        "non-saturating"
    )
    k: Annotated[Count, K] = 1
    lambda_: Annotated[
        NonNegative,
        Field(alias="lambda", description="R1: adds lambda/2 times the critic's squared slope at real data"),
    ] = 0.0
    ema: Annotated[
        Rate, Field(description="decay of the generator's average, whose samples are handed on; 0: none")
    ] = 0.99


class DcganParams(ConditionedParams):
    """Radford et al. 2015, whose networks and rates these are."""

    network: Annotated[Literal["convolution"], Field(description="both players are convolutional")] = "convolution"
    k: Annotated[Count, K] = 1
    lr_generator: Positive = 2e-4
    lr_critic: Positive = 2e-4
    betas: Annotated[tuple[Rate, Rate], Field(description="of adam: decay rates, of both players")] = (0.5, 0.999)


class WganParams(PlayersParams):
    """Arjovsky et al. 2017; its critic has no momentum, which the authors warn of."""

    k: Annotated[Count, K] = 5
    warmup: Warmup | None = (100, 25, 500)
    clip: Annotated[Positive, Field(description="every weight of the critic is kept within it")] = 0.01
    optimizer: Literal["adam", "rmsprop", "sgd"] = "rmsprop"
    lr_generator: Positive = 5e-5
    lr_critic: Positive = 5e-5


class WganGpParams(ConditionedParams):
    """Gulrajani et al. 2017, Algorithm 1."""

    k: Annotated[Count, K] = 5
    lambda_: Annotated[NonNegative, _GP] = 10.0
    norm: Annotated[Literal["none", "layer"], Field(description="of a convolutional critic")] = "none"
    lr_generator: Positive = 1e-4
    lr_critic: Positive = 1e-4
    betas: Annotated[tuple[Rate, Rate], Field(description="of adam: decay rates, of both players")] = (0.0, 0.9)


class SnGanParams(ConditionedParams):
    """Miyato et al. 2018, with 5 critic steps and rates that fall to 0."""

    k: Annotated[Count, K] = 5
    power_iterations: Annotated[Count, Field(description="at every forward pass of training")] = 1
    lr_generator: Positive = 2e-4
    lr_critic: Positive = 2e-4
    betas: Annotated[tuple[Rate, Rate], Field(description="of adam: decay rates, of both players")] = (0.0, 0.9)
    decay: Annotated[
        Literal["constant", "linear"], Field(description="whether learning rates fall to 0 over the game")
    ] = "linear"


class UnrolledGanParams(PlayersParams):
    """Metz et al. 2016 on mixtures of Gaussians."""

    k: Annotated[Count, K] = 1
    unrolled: Annotated[Count, Field(description="critic steps that the generator looks ahead")] = 5
    alpha: Annotated[Positive, Field(description="size of each of these steps along the gradient")] = 0.05
    hidden: Annotated[
        tuple[Count, ...], Field(min_length=1, description="of perceptrons: widths of both players' hidden layers")
    ] = (128, 128)


def _gan() -> GeneratorFn[GanParams]:
    from advorch_builtins.generators.gan import gan

    return gan


def _dcgan() -> GeneratorFn[DcganParams]:
    from advorch_builtins.generators.dcgan import dcgan

    return dcgan


def _wgan() -> GeneratorFn[WganParams]:
    from advorch_builtins.generators.wgan import wgan

    return wgan


def _wgan_gp() -> GeneratorFn[WganGpParams]:
    from advorch_builtins.generators.wgan_gp import wgan_gp

    return wgan_gp


def _sn_gan() -> GeneratorFn[SnGanParams]:
    from advorch_builtins.generators.sn_gan import sn_gan

    return sn_gan


def _unrolled_gan() -> GeneratorFn[UnrolledGanParams]:
    from advorch_builtins.generators.unrolled_gan import unrolled_gan

    return unrolled_gan


GAN = Generator(
    name="gan",
    summary="Generative adversarial network of two perceptrons, with an optional R1 penalty",
    params=GanParams,
    load=_gan,
    metrics=_LOSSES,
)
DCGAN = Generator(
    name="dcgan",
    summary="Generative adversarial network of strided convolutions with batch norm",
    params=DcganParams,
    load=_dcgan,
    metrics=_LOSSES,
)
WGAN = Generator(
    name="wgan",
    summary="Wasserstein GAN with clipped weights",
    params=WganParams,
    load=_wgan,
    metrics=_LOSSES,
)
WGAN_GP = Generator(
    name="wgan-gp",
    summary="Wasserstein GAN with a gradient penalty, as for pictures",
    params=WganGpParams,
    load=_wgan_gp,
    metrics=_LOSSES,
)
SN_GAN = Generator(
    name="sn-gan",
    summary="Hinge GAN with a spectrally normalised critic",
    params=SnGanParams,
    load=_sn_gan,
    metrics=_LOSSES,
)
UNROLLED_GAN = Generator(
    name="unrolled-gan",
    summary="GAN whose generator looks some of the critic's steps ahead",
    params=UnrolledGanParams,
    load=_unrolled_gan,
    metrics=_LOSSES,
)


@hookimpl
def advorch_components() -> Components:
    """Games between networks."""
    from advorch_builtins.generators import (
        catalog_autoencoders,
        catalog_growing,
        catalog_presets,
        catalog_text,
        catalog_uses,
    )

    return (
        GAN, DCGAN, WGAN, WGAN_GP, SN_GAN, UNROLLED_GAN,
        *catalog_growing.COMPONENTS, *catalog_presets.COMPONENTS, *catalog_uses.COMPONENTS,
        *catalog_autoencoders.COMPONENTS, *catalog_text.COMPONENTS,
    )  # fmt: skip
