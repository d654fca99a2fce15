"""The game that begins with small pictures, described."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, Count, Generator, GeneratorFn, NonNegative, Params, Positive
from advorch_builtins.generators.params import K, Rate


class ProgressiveGanParams(Params):
    """Karras et al. 2018; a game's steps fall into equal parts: the first level, then fade and stand for each other."""

    latent: Annotated[Count, Field(description="size of the code, which is brought to the sphere")] = 128
    width: Annotated[Count, Field(description="channels up to 32 pixels a side; half with each level beyond")] = 128
    growing: Annotated[bool, Field(description="begin with 4 pixels a side; else at full size, to compare")] = True
    k: Annotated[Count, K] = 1
    lambda_: Annotated[NonNegative, Field(alias="lambda", description="weight of the gradient penalty")] = 10.0
    drift: Annotated[NonNegative, Field(description="weight of the squared scores of real samples")] = 1e-3
    lr_generator: Positive = 1e-3
    lr_critic: Positive = 1e-3
    betas: Annotated[tuple[Rate, Rate], Field(description="of Adam: decay rates, of both players")] = (0.0, 0.99)
    ema: Annotated[
        Rate, Field(description="decay of the generator's average, whose samples are handed on; 0: none")
    ] = 0.999


def _progressive_gan() -> GeneratorFn[ProgressiveGanParams]:
    from advorch_builtins.generators.progressive_gan import progressive_gan

    return progressive_gan


PROGRESSIVE_GAN = Generator(
    name="progressive-gan",
    summary="Wasserstein GAN that grows from 4 pixels a side by doubling",
    params=ProgressiveGanParams,
    load=_progressive_gan,
    metrics=frozenset({"generator_loss", "critic_loss"}),
)

COMPONENTS: tuple[AnyComponent, ...] = (PROGRESSIVE_GAN,)
