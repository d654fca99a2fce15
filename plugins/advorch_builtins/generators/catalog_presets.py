"""The same games with other defaults: told of classes, penalised, and for points of the plane."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import AnyComponent, Generator, NonNegative, Positive
from advorch_builtins.generators.catalog import GAN, SN_GAN, WGAN_GP, GanParams, SnGanParams, WganGpParams
from advorch_builtins.generators.params import CONDITIONING, Conditioning, Rate

_EMA = Field(description="decay of the generator's average, whose samples are handed on; 0: none")
_BETAS = Field(description="of adam: decay rates, of both players")


class ConditionalGanParams(GanParams):
    """Mirza and Osindero 2014, Conditional Generative Adversarial Nets, arXiv:1411.1784."""

    network: Annotated[
        Literal["auto", "perceptron", "convolution"],
        Field(description="auto: convolutions for images of at least 16 pixels a side"),
    ] = "auto"
    conditioning: Annotated[Conditioning, CONDITIONING] = "concat"
    lr_generator: Positive = 2e-4
    lr_critic: Positive = 2e-4
    betas: Annotated[tuple[Rate, Rate], _BETAS] = (0.5, 0.999)


class R1GanParams(GanParams):
    """Mescheder et al. 2018, arXiv:1801.04406: the critic pays for its slopes at real data."""

    lambda_: Annotated[
        NonNegative,
        Field(alias="lambda", description="R1: adds lambda/2 times the critic's squared slope at real data"),
    ] = 0.1


class WganGpToyParams(WganGpParams):
    """For points of the plane, where the rates for pictures find no mode in as many steps."""

    lambda_: Annotated[
        NonNegative,
        Field(alias="lambda", description="weight of the gradient penalty at one random place for each sample"),
    ] = 1.0
    lr_generator: Positive = 1e-3
    lr_critic: Positive = 1e-3
    ema: Annotated[Rate, _EMA] = 0.99


class SnGanToyParams(SnGanParams):
    """For points of the plane."""

    lr_generator: Positive = 1e-3
    lr_critic: Positive = 1e-3
    ema: Annotated[Rate, _EMA] = 0.99


COMPONENTS: tuple[AnyComponent, ...] = (
    Generator(
        name="conditional-gan",
        summary="GAN that is told the class of every sample",
        params=ConditionalGanParams,
        load=GAN.load,
        metrics=GAN.metrics,
    ),
    Generator(
        name="gan-r1",
        summary="GAN with the R1 penalty: the cheapest game that covers a mixture",
        params=R1GanParams,
        load=GAN.load,
        metrics=GAN.metrics,
    ),
    Generator(
        name="wgan-gp-toy2d",
        summary="Wasserstein GAN with a gradient penalty, as for points of the plane",
        params=WganGpToyParams,
        load=WGAN_GP.load,
        metrics=WGAN_GP.metrics,
    ),
    Generator(
        name="sn-gan-toy2d",
        summary="Hinge GAN with a spectrally normalised critic, as for points of the plane",
        params=SnGanToyParams,
        load=SN_GAN.load,
        metrics=SN_GAN.metrics,
    ),
)
