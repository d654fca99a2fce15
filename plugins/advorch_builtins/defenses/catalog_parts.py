"""Defences that are a part and a loss: each part may as well stand under `parts:` of any other recipe."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from advorch.api import AnyComponent, AttackRef, Kind, Objective, ObjectiveFn, PartFn
from advorch_builtins.defenses.catalog import AdversarialParams, MixParams
from advorch_builtins.parts import params as parts


class MaybeAttackedParams(MixParams):
    """The loss on samples as they are, or on what an attack makes of them."""

    attack: Annotated[AttackRef | None, Field(description="trained against besides; default: clean samples alone")] = (
        None
    )


class GradientPenaltyParams(MaybeAttackedParams, parts.GradientPenaltyParams):
    """A loss with a penalty on its own slope in the input."""

    @model_validator(mode="after")
    def _attacks_where_it_looks(self) -> Self:
        """Adversarial samples come from an attack."""
        if self.at == "adversarial" and self.attack is None:
            raise ValueError("`at: adversarial` needs an `attack`")
        return self


class OrthogonalParams(MaybeAttackedParams, parts.OrthogonalParams):
    """A loss with orthogonal weights."""


class SpectralNormParams(MaybeAttackedParams, parts.SpectralNormParams):
    """A loss with normalised weights."""


class ClassFocusedParams(MaybeAttackedParams, parts.ClassFocusedParams):
    """A loss on samples of the classes that need it."""


class AwpParams(MaybeAttackedParams, parts.AwpParams):
    """A loss that holds around the weights."""


class DescentDirectionParams(AdversarialParams, parts.DescentDirectionParams):
    """A loss under several attacks at once, from as many random starts."""


def _maybe_attacked() -> ObjectiveFn[MaybeAttackedParams]:
    from advorch_builtins.defenses.maybe_attacked import loss

    return loss


def _adversarial() -> ObjectiveFn[DescentDirectionParams]:
    from advorch_builtins.defenses.adversarial import loss

    return loss


def _gradient_penalty() -> PartFn[parts.GradientPenaltyParams]:
    from advorch_builtins.parts.gradient_penalty import gradient_penalty

    return gradient_penalty


def _orthogonal() -> PartFn[parts.OrthogonalParams]:
    from advorch_builtins.parts.orthogonal import orthogonal

    return orthogonal


def _spectral_norm() -> PartFn[parts.SpectralNormParams]:
    from advorch_builtins.parts.spectral import spectral_norm

    return spectral_norm


def _class_focused() -> PartFn[parts.ClassFocusedParams]:
    from advorch_builtins.parts.class_focused import class_focused

    return class_focused


def _awp() -> PartFn[parts.AwpParams]:
    from advorch_builtins.parts.awp import awp

    return awp


def _descent_direction() -> PartFn[parts.DescentDirectionParams]:
    from advorch_builtins.parts.descent_direction import descent_direction

    return descent_direction


GRADIENT_PENALTY = Objective(
    name="gradient-penalty",
    summary="the loss and lambda ||grad_x loss||_p^q, on clean samples or with any attack (Drucker and LeCun 1992)",
    params=GradientPenaltyParams,
    load=_maybe_attacked,
    brings=_gradient_penalty,
    stage=Kind.DEFEND,
)
ORTHOGONAL = Objective(
    name="orthogonal",
    summary="the loss and lambda times how far weights are from orthogonal, on clean samples or with any attack",
    params=OrthogonalParams,
    load=_maybe_attacked,
    brings=_orthogonal,
    stage=Kind.DEFEND,
)
SPECTRAL_NORM = Objective(
    name="spectral-norm",
    summary="every layer's largest singular value held at a cap, on clean samples or with any attack (Miyato 2018)",
    params=SpectralNormParams,
    load=_maybe_attacked,
    brings=_spectral_norm,
    stage=Kind.DEFEND,
)
CLASS_FOCUSED = Objective(
    name="class-focused",
    summary="training on the classes that are mistaken most, on clean samples or with any attack (CFOL 2023)",
    params=ClassFocusedParams,
    load=_maybe_attacked,
    brings=_class_focused,
    stage=Kind.DEFEND,
)
AWP = Objective(
    name="awp",
    summary="the loss at weights perturbed against it, on clean samples or with any attack (Wu 2020)",
    params=AwpParams,
    load=_maybe_attacked,
    brings=_awp,
    stage=Kind.DEFEND,
)
DESCENT_DIRECTION = Objective(
    name="descent-direction",
    summary="adversarial training along the shortest combination of several attacks' gradients (DDi 2023)",
    params=DescentDirectionParams,
    load=_adversarial,
    brings=_descent_direction,
    stage=Kind.DEFEND,
)

COMPONENTS: tuple[AnyComponent, ...] = (
    GRADIENT_PENALTY, ORTHOGONAL, SPECTRAL_NORM, CLASS_FOCUSED, AWP, DESCENT_DIRECTION,
)  # fmt: skip
