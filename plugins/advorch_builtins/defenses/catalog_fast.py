"""Adversarial training with one gradient a batch, described."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from advorch.api import AnyComponent, Kind, NonNegative, Objective, ObjectiveFn, Params, PartFn, Positive
from advorch_builtins.defenses.catalog import AttackMode
from advorch_builtins.parts import params as parts
from advorch_builtins.training.catalog import ErmParams

_STEP = {"random-start": 1.25, "noise": 1.0}
_START = {"random-start": 1.0, "noise": 2.0}


class FastParams(Params):
    """Wong et al. 2020, or N-FGSM of de Jorge et al. 2022; in linf."""

    epsilon: Annotated[NonNegative, Field(description="of the ball to be robust in, in the data's own units")] = 8 / 255
    method: Annotated[
        Literal["random-start", "noise"],
        Field(description="`random-start` cuts the step at epsilon, `noise` (N-FGSM) begins further off and does not"),
    ] = "random-start"
    alpha: Annotated[Positive | None, Field(description="length of the step over epsilon; 1.25, and 1 after noise")] = (
        None
    )
    noise: Annotated[
        NonNegative | None, Field(description="how far from the sample it begins, over epsilon; 1, and 2 for noise")
    ] = None
    outside: Annotated[
        bool, Field(description="begin outside of the box of legal values too, as the authors do on MNIST alone")
    ] = False
    mode: AttackMode = "train"

    @property
    def step(self) -> float:
        """The length of the step over epsilon."""
        return _STEP[self.method] if self.alpha is None else self.alpha

    @property
    def start(self) -> float:
        """How far off it begins, over epsilon."""
        return _START[self.method] if self.noise is None else self.noise

    @model_validator(mode="after")
    def _starts_inside(self) -> Self:
        """What is cut at epsilon begins within it."""
        if self.method == "random-start" and self.start > 1:
            raise ValueError(f"`noise` is at most 1 with `method: random-start`, not {self.start:g}")
        return self


class FreeParams(ErmParams, parts.FreeParams):
    """Shafahi et al. 2019; the plain loss, on samples that move with every gradient."""


def _fast() -> ObjectiveFn[FastParams]:
    from advorch_builtins.defenses.fast import loss

    return loss


def _erm() -> ObjectiveFn[FreeParams]:
    from advorch_builtins.training.erm import loss

    return loss


def _free() -> PartFn[parts.FreeParams]:
    from advorch_builtins.parts.free import free

    return free


FAST = Objective(
    name="fast",
    summary="fast adversarial training: one gradient step from a random start, or N-FGSM",
    params=FastParams,
    load=_fast,
    stage=Kind.DEFEND,
)

FREE = Objective(
    name="free",
    summary="free adversarial training: a batch is replayed, each gradient moves weights and perturbation at once",
    params=FreeParams,
    load=_erm,
    stage=Kind.DEFEND,
    brings=_free,
)

COMPONENTS: tuple[AnyComponent, ...] = (FAST, FREE)
