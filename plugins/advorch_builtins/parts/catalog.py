"""What any loss may be trained with besides."""

from advorch.api import Components, Part, PartFn, hookimpl
from advorch_builtins.parts.params import (
    AwpParams,
    ClassFocusedParams,
    DescentDirectionParams,
    EmaParams,
    GradientPenaltyParams,
    NoParams,
    OrthogonalParams,
    OverfittingGuardParams,
    SamParams,
    SpectralNormParams,
    SpectralPenaltyParams,
    SwaParams,
)


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
