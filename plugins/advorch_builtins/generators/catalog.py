"""The generators that ship with advorch."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import Components, Count, Generator, GeneratorFn, NonNegative, Params, Positive, hookimpl

Rate = Annotated[float, Field(ge=0, lt=1)]


class GanParams(Params):
    """Goodfellow et al. 2014; with `lambda` 0 it is the game that collapses on mixtures, 0.1 cures it."""

    objective: Annotated[Literal["saturating", "non-saturating"], Field(description="what the generator minimises")] = (
        "non-saturating"
    )
    k: Annotated[Count, Field(description="critic steps before each generator step")] = 1
    lambda_: Annotated[
        NonNegative,
        Field(alias="lambda", description="R1: adds lambda/2 times the critic's squared slope at real data"),
    ] = 0.0
    latent: Annotated[
        Count | None, Field(description="size of the standard normal input; by default the data's own, at most 64")
    ] = None
    hidden: Annotated[tuple[Count, ...], Field(description="widths of both players' hidden layers")] = (128, 128, 128)
    lr_generator: Positive = 1e-3
    lr_critic: Positive = 1e-3
    betas: Annotated[tuple[Rate, Rate], Field(description="Adam's decay rates, of both players")] = (0.5, 0.9)
    ema: Annotated[
        Rate, Field(description="decay of the generator's average, whose samples are handed on; 0: none")
    ] = 0.99


def _gan() -> GeneratorFn[GanParams]:
    from advorch_builtins.generators.gan import gan

    return gan


@hookimpl
def advorch_components() -> Components:
    """Games between networks."""
    return [
        Generator(
            name="gan",
            summary="Generative adversarial network of two perceptrons, with an optional R1 penalty",
            params=GanParams,
            load=_gan,
            metrics=frozenset({"generator_loss", "critic_loss"}),
        ),
    ]
