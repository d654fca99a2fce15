"""What any loss may be trained with besides."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import (
    AttackRef,
    Components,
    Count,
    NonNegative,
    Params,
    Part,
    PartFn,
    Positive,
    Share,
    hookimpl,
)


class SamParams(Params):
    """Sharpness-aware minimisation."""

    rho: Annotated[Positive, Field(description="how far the weights climb before their gradient is taken")] = 0.05
    adaptive: Annotated[
        bool, Field(description="measure that by each weight's own size (ASAM, where rho is 10 to 40 times larger)")
    ] = False
    scope: Annotated[
        Literal["batch", "rank"], Field(description="climb by the whole batch's gradient, or each rank by its own")
    ] = "batch"


class AwpParams(Params):
    """Adversarial weight perturbation."""

    gamma: Annotated[Positive, Field(description="size of a layer's perturbation, as a share of its weights'")] = 0.01
    start: Annotated[Share, Field(description="share of training before the first perturbation")] = 0.0


class DescentDirectionParams(Params):
    """Danskin's descent direction."""

    draws: Annotated[Count, Field(description="adversarial batches whose gradients are combined")] = 4
    steps: Annotated[Count, Field(description="of the search for the shortest combination")] = 1000
    normalise: Annotated[bool, Field(description="move by the direction alone, of length 1, as in the paper")] = True


class EmaParams(Params):
    """Exponential moving average of the weights."""

    decay: Annotated[Share, Field(description="what is kept in each step; less in the first: (1+t)/(10+t)")] = 0.995


class SwaParams(Params):
    """Equal average of the weights."""

    start: Annotated[Share, Field(description="share of training before the first that counts")] = 0.75
    every: Annotated[Count, Field(description="updates from one that counts to the next")] = 100


class GradientPenaltyParams(Params):
    """lambda ||d loss / d x||_p^q, of each sample."""

    lambda_: Annotated[NonNegative, Field(alias="lambda", description="weight in the loss")] = 0.1
    p: Annotated[Literal[1, 2], Field(description="norm of the gradient: 1 is the first order of linf training")] = 2
    q: Annotated[Literal[1, 2], Field(description="power of that norm")] = 2
    method: Annotated[
        Literal["exact", "finite-difference"],
        Field(description="differentiate twice, or measure the loss's rise over a step along the gradient"),
    ] = "exact"
    h: Annotated[Positive, Field(description="length of that step, in the data's own units")] = 1e-2
    at: Annotated[
        Literal["clean", "adversarial"], Field(description="on the samples, or on what the objective's attack found")
    ] = "clean"


class OrthogonalParams(Params):
    """Weights with orthogonal rows, or columns where those are fewer."""

    lambda_: Annotated[NonNegative, Field(alias="lambda", description="weight in the loss")] = 1e-3
    form: Annotated[
        Literal["squared", "absolute", "off-diagonal", "spectral"],
        Field(
            description="of G = WW' - I: sum of squares, sum of absolute values, of squares off the diagonal, or its "
            "largest singular value (SRIP)"
        ),
    ] = "squared"


class SpectralNormParams(Params):
    """Weights divided by their largest singular value."""

    cap: Annotated[Positive, Field(description="largest singular value that a layer has instead")] = 1.0
    power_iterations: Annotated[Count, Field(description="for each forward pass in training")] = 1


class SpectralPenaltyParams(Params):
    """The sum of squared largest singular values."""

    lambda_: Annotated[NonNegative, Field(alias="lambda", description="weight in the loss")] = 0.01
    power_iterations: Annotated[Count, Field(description="in each step, going on from the last")] = 1


class ClassFocusedParams(Params):
    """Class-focused online learning."""

    eta: Annotated[Positive, Field(description="how much one mistake weighs in the choice of classes")] = 5e-6
    gamma: Annotated[Share, Field(description="share of samples that is drawn evenly from all classes")] = 0.5


class OverfittingGuardParams(Params):
    """An end to catastrophic overfitting."""

    attack: Annotated[AttackRef, Field(description="what the first batch is judged by after each epoch")]
    drop: Annotated[Share, Field(description="loss of robust accuracy in one epoch that ends the training")] = 0.2


class NoParams(Params):
    """Nothing to choose."""


def _sam() -> PartFn[SamParams]:
    from advorch_builtins.parts.sharpness import sam

    return sam


def _awp() -> PartFn[AwpParams]:
    from advorch_builtins.parts.awp import awp

    return awp


def _descent_direction() -> PartFn[DescentDirectionParams]:
    from advorch_builtins.parts.descent_direction import descent_direction

    return descent_direction


def _ema() -> PartFn[EmaParams]:
    from advorch_builtins.parts.averages import ema

    return ema


def _swa() -> PartFn[SwaParams]:
    from advorch_builtins.parts.averages import swa

    return swa


def _gradient_penalty() -> PartFn[GradientPenaltyParams]:
    from advorch_builtins.parts.gradient_penalty import gradient_penalty

    return gradient_penalty


def _orthogonal() -> PartFn[OrthogonalParams]:
    from advorch_builtins.parts.orthogonal import orthogonal

    return orthogonal


def _spectral_norm() -> PartFn[SpectralNormParams]:
    from advorch_builtins.parts.spectral import spectral_norm

    return spectral_norm


def _spectral_penalty() -> PartFn[SpectralPenaltyParams]:
    from advorch_builtins.parts.spectral import spectral_penalty

    return spectral_penalty


def _class_focused() -> PartFn[ClassFocusedParams]:
    from advorch_builtins.parts.class_focused import class_focused

    return class_focused


def _overfitting_guard() -> PartFn[OverfittingGuardParams]:
    from advorch_builtins.parts.overfitting_guard import overfitting_guard

    return overfitting_guard


def _recomputed_statistics() -> PartFn[NoParams]:
    from advorch_builtins.parts.recomputed_statistics import recomputed_statistics

    return recomputed_statistics


SAM = Part(
    name="sam",
    summary="the gradient is taken where the loss is worst within rho of the weights (Foret 2021; ASAM: Kwon 2021)",
    params=SamParams,
    load=_sam,
)
AWP = Part(
    name="awp",
    summary="weights are perturbed layer by layer against the loss before each update (Wu 2020)",
    params=AwpParams,
    load=_awp,
)
DESCENT_DIRECTION = Part(
    name="descent-direction",
    summary="the shortest combination of several attacks' gradients, which does descend (DDi: Latorre 2023)",
    params=DescentDirectionParams,
    load=_descent_direction,
)
EMA = Part(name="ema", summary="an exponential moving average of the weights is kept", params=EmaParams, load=_ema)
SWA = Part(
    name="swa",
    summary="an equal average of the last weights is kept, with batch statistics of its own (Izmailov 2018)",
    params=SwaParams,
    load=_swa,
)
GRADIENT_PENALTY = Part(
    name="gradient-penalty",
    summary="lambda ||grad_x loss||_p^q: exact (Drucker and LeCun 1992) or by finite differences (Finlay 2021)",
    params=GradientPenaltyParams,
    load=_gradient_penalty,
)
ORTHOGONAL = Part(
    name="orthogonal",
    summary="lambda times how far WW' is from the identity, layer by layer (Brock 2017, Bansal 2018)",
    params=OrthogonalParams,
    load=_orthogonal,
)
SPECTRAL_NORM = Part(
    name="spectral-norm",
    summary="each layer's weights are divided by their largest singular value (Miyato 2018)",
    params=SpectralNormParams,
    load=_spectral_norm,
)
SPECTRAL_PENALTY = Part(
    name="spectral-penalty",
    summary="lambda times the sum of the layers' squared largest singular values (Yoshida and Miyato 2017)",
    params=SpectralPenaltyParams,
    load=_spectral_penalty,
)
CLASS_FOCUSED = Part(
    name="class-focused",
    summary="classes that are mistaken are drawn more often, by a bandit (CFOL: Pethick 2023)",
    params=ClassFocusedParams,
    load=_class_focused,
)
OVERFITTING_GUARD = Part(
    name="overfitting-guard",
    summary="ends training with the epoch before, when robust accuracy falls in one epoch (Wong 2020)",
    params=OverfittingGuardParams,
    load=_overfitting_guard,
)
RECOMPUTED_STATISTICS = Part(
    name="recomputed-statistics",
    summary="batch norm's statistics are averaged over all training batches afterwards (Miyato 2015)",
    params=NoParams,
    load=_recomputed_statistics,
)


@hookimpl
def advorch_components() -> Components:
    """Every part that comes with advorch."""
    from advorch_builtins.parts import catalog_linear, catalog_smoothness

    return (
        SAM, AWP, DESCENT_DIRECTION, EMA, SWA, GRADIENT_PENALTY, ORTHOGONAL, SPECTRAL_NORM, SPECTRAL_PENALTY,
        CLASS_FOCUSED, OVERFITTING_GUARD, RECOMPUTED_STATISTICS,
        *catalog_linear.COMPONENTS, *catalog_smoothness.COMPONENTS,
    )  # fmt: skip
