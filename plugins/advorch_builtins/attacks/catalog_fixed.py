"""Attacks that spend a given epsilon along gradients, described; each is implemented in the file of its name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field

from advorch.api import Access, AnyComponent, Attack, AttackFn, Count, Goal, Norm, Params, Positive, Share, ThreatModel
from advorch_builtins.attacks import catalog_apgd, catalog_momentum, catalog_near
from advorch_builtins.sources import source_files

_BALLS = frozenset({Norm.LINF, Norm.L2, Norm.L1})
_BOTH_GOALS = frozenset({Goal.UNTARGETED, Goal.TARGETED})


class BimParams(Params):
    """Projected gradient steps from the sample."""

    steps: Annotated[Count, Field(description="gradient steps")] = 10
    alpha: Annotated[Positive | None, Field(description="length of a step; by default 2.5 epsilon / steps")] = None
    top: Annotated[Share, Field(description="in l1: the share of the numbers that one step moves")] = 0.01


class ProximalParams(Params):
    """Steps along the gradient as it is."""

    steps: Annotated[Count, Field(description="gradient steps of each ascent")] = 10
    alpha: Annotated[Positive, Field(description="what the gradient of the loss is multiplied with")] = 1.0
    restarts: Annotated[Count, Field(description="ascents for a sample that withstands")] = 1
    random_start: Annotated[bool, Field(description="begin anywhere in the ball instead of at the sample")] = False


class DifferenceParams(ProximalParams):
    """Steps along the gradient of a difference of two losses."""

    steps: Annotated[Count, Field(description="gradient steps of each ascent")] = 40


class EotPgdParams(Params):
    """Projected gradient steps along a mean gradient."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"draws": 4}]})

    steps: Annotated[Count, Field(description="gradient steps of each ascent")] = 20
    draws: Annotated[Count, Field(description="gradients in one mean")] = 10
    alpha: Annotated[Positive | None, Field(description="length of a step; by default 2.5 epsilon / steps")] = None
    restarts: Annotated[Count, Field(description="ascents for a sample that withstands")] = 1
    view: Annotated[
        str,
        Field(
            pattern=r"^(none|noise|resize|pose|[\w.]+:[\w.]+)$",
            description="what is drawn beside the model's own randomness: nothing (`none`), normal `noise`, a smaller "
            "image (`resize`), a rotation and translation (`pose`), or a function of your own as package.module:name, "
            "called with a batch and its random numbers",
        ),
    ] = "none"
    sigma: Annotated[Positive, Field(description="deviation of the noise")] = 0.1
    least: Annotated[Share, Field(gt=0, description="smallest image, as a share of its size")] = 0.8
    degrees: Annotated[float, Field(ge=0, le=180, description="largest angle of a pose, to either side")] = 30.0
    shift: Annotated[Share, Field(description="largest translation of a pose, as a share of the side")] = 0.1


def _own_view(params: EotPgdParams) -> Sequence[Path]:
    """The code of a view that is not ours decides what is found."""
    return source_files(params.view) if ":" in params.view else ()


class ScaledGradientParams(Params):
    """One step has nothing to set."""


class VatParams(Params):
    """The power method on a divergence."""

    steps: Annotated[Count, Field(description="iterations of the power method")] = 1
    xi: Annotated[Positive, Field(description="how far from the sample the divergence is looked at, in l2")] = 0.1


def _bim() -> AttackFn[BimParams]:
    from advorch_builtins.attacks.bim import perturb

    return perturb


def _proximal() -> AttackFn[ProximalParams]:
    from advorch_builtins.attacks.proximal import perturb

    return perturb


def _difference() -> AttackFn[DifferenceParams]:
    from advorch_builtins.attacks.difference import perturb

    return perturb


def _eot_pgd() -> AttackFn[EotPgdParams]:
    from advorch_builtins.attacks.eot_pgd import perturb

    return perturb


def _scaled_gradient() -> AttackFn[ScaledGradientParams]:
    from advorch_builtins.attacks.scaled_gradient import perturb

    return perturb


def _vat() -> AttackFn[VatParams]:
    from advorch_builtins.attacks.vat import perturb

    return perturb


BIM = Attack(
    name="bim",
    summary="projected gradient ascent from the sample itself",
    params=BimParams,
    load=_bim,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_BALLS, goals=_BOTH_GOALS),
)

PROXIMAL = Attack(
    name="proximal",
    summary="proximal gradient ascent: the gradient itself, neither its sign nor its direction alone",
    params=ProximalParams,
    load=_proximal,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_BALLS, goals=_BOTH_GOALS, stochastic=True),
)

DIFFERENCE = Attack(
    name="difference",
    summary="gradient steps on the loss of the label less the loss of a target",
    params=DifferenceParams,
    load=_difference,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_BALLS, goals=_BOTH_GOALS, stochastic=True),
)

EOT_PGD = Attack(
    name="eot-pgd",
    summary="projected gradient ascent along the mean gradient of a model or a view that draws",
    params=EotPgdParams,
    load=_eot_pgd,
    files=_own_view,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_BALLS, goals=_BOTH_GOALS, stochastic=True),
)

SCALED_GRADIENT = Attack(
    name="scaled-gradient",
    summary="one step along the gradient scaled to epsilon: the ineffective control of the sign",
    params=ScaledGradientParams,
    load=_scaled_gradient,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_BALLS),
)

VAT = Attack(
    name="vat",
    summary="the direction in which the prediction changes most, whatever the label",
    params=VatParams,
    load=_vat,
    threat=ThreatModel(access=Access.GRADIENTS, norms=frozenset({Norm.LINF, Norm.L2}), stochastic=True),
)

COMPONENTS: tuple[AnyComponent, ...] = (
    BIM,
    *catalog_momentum.COMPONENTS,
    *catalog_apgd.COMPONENTS,
    *catalog_near.COMPONENTS,
    PROXIMAL,
    EOT_PGD,
    DIFFERENCE,
    SCALED_GRADIENT,
    VAT,
)
