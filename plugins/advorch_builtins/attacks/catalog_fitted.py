"""Perturbations that are fitted over a data set and then applied, described; each is in the file of its name."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from advorch.api import (
    Access,
    AnyComponent,
    Attack,
    AttackFn,
    Count,
    Goal,
    NonNegative,
    Norm,
    Params,
    Perturbation,
    PerturbationFn,
    Positive,
    Share,
    ThreatModel,
)
from advorch.kit.perturbation.placing import Placing
from advorch.kit.perturbation.scene import Scene

_TARGETED = frozenset({Goal.TARGETED})
_EVERYWHERE = frozenset({Norm.LINF, Norm.L2, Norm.L1, Norm.UNBOUNDED})
Colour = tuple[Share, Share, Share]
Rectangle = tuple[Share, Share, Share, Share]


class ApplyParams(Params):
    """What was fitted says how it is applied."""


class UniversalParams(Params):
    """One vector that is added to every sample."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"epsilon": 0.1}]})

    epsilon: Annotated[NonNegative, Field(description="size of the ball, in the data's own units")]
    norm: Annotated[Norm, Field(description="how it is measured: linf or l2")] = Norm.LINF
    method: Annotated[
        Literal["deepfool", "sgd"],
        Field(description="Moosavi-Dezfooli's steps over the nearest boundaries, or ascent of the clipped loss"),
    ] = "deepfool"
    until: Annotated[Share, Field(gt=0, description="share of fooled samples, over a whole pass, that is enough")] = 0.8
    inner: Annotated[Count, Field(description="deepfool: boundaries crossed for one sample at most")] = 10
    classes: Annotated[int, Field(ge=2, description="deepfool: likeliest classes looked at")] = 10
    overshoot: Annotated[NonNegative, Field(description="deepfool: how much further than the boundary")] = 0.02
    alpha: Annotated[Positive | None, Field(description="sgd: length of a step; by default epsilon / 20")] = None
    clip: Annotated[Positive, Field(description="sgd: a sample whose loss is above says no more")] = 9.0


class PatchParams(Params):
    """A patch that works wherever it lies."""

    placing: Annotated[Placing, Field(description="where it is pasted")] = Placing()
    size: Annotated[Count | None, Field(description="pixels of the patch along a side; by default the sample's")] = None
    printable: Annotated[
        tuple[Share, Share], Field(description="darkest and lightest value of ink, as shares of the range")
    ] = (0.0, 1.0)
    lr: Annotated[Positive, Field(description="Adam's, the range being one")] = 0.05


class StickerParams(Params):
    """RP2: what is printed inside a mask on the object, seen in many ways."""

    mask: Annotated[
        tuple[Rectangle, ...],
        Field(min_length=1, description="rectangles: left, top, right, bottom, as shares of the photo"),
    ] = ((0.24, 0.2, 0.76, 0.36), (0.24, 0.64, 0.76, 0.8))
    scene: Annotated[Scene, Field(description="how the object is seen while it is fitted")] = Scene()
    lambda_: Annotated[NonNegative, Field(alias="lambda", description="weight of the sticker's size")] = 0.02
    size_norm: Annotated[Literal["l1", "l2"], Field(description="how the sticker's size is measured")] = "l2"
    nps: Annotated[NonNegative, Field(description="weight of the non-printability score")] = 0.5
    palette: Annotated[
        tuple[Colour, ...], Field(description="colours that can be printed; by default those of an ordinary printer")
    ] = ()
    print_exactly: Annotated[bool, Field(description="at the end, every pixel in the nearest printable colour")] = True
    lr: Annotated[Positive, Field(description="Adam's, the range being one")] = 0.03


class TextureParams(Params):
    """The surface of an object, under random poses."""

    scene: Annotated[Scene, Field(description="the object, and how it is seen")] = Scene(
        shape="ball", background="drawn", yaw=40.0, pitch=25.0, roll=15.0, scale=(0.8, 1.0), shift=0.03
    )
    sample: Annotated[int, Field(ge=0, description="which sample of the data is the unperturbed surface")] = 0
    lambda_: Annotated[NonNegative, Field(alias="lambda", description="weight of the distance between the views")] = 1.0
    distance: Annotated[Literal["lab", "rgb"], Field(description="how views are compared")] = "lab"
    lr: Annotated[Positive, Field(description="Adam's, the range being one")] = 0.02


def _apply() -> AttackFn[ApplyParams]:
    from advorch_builtins.attacks.apply import perturb

    return perturb


def _universal() -> PerturbationFn[UniversalParams]:
    from advorch_builtins.attacks.universal import fitting

    return fitting


def _patch() -> PerturbationFn[PatchParams]:
    from advorch_builtins.attacks.patch import PatchFitting

    return PatchFitting


def _sticker() -> PerturbationFn[StickerParams]:
    from advorch_builtins.attacks.sticker import StickerFitting

    return StickerFitting


def _texture() -> PerturbationFn[TextureParams]:
    from advorch_builtins.attacks.texture import TextureFitting

    return TextureFitting


APPLY = Attack(
    name="apply",
    summary="a perturbation that was fitted beforehand, put on samples that it has not seen",
    params=ApplyParams,
    load=_apply,
    threat=ThreatModel(access=Access.NOTHING, norms=_EVERYWHERE, stochastic=True),
    perturbation=True,
)

UNIVERSAL = Perturbation(
    name="universal",
    summary="one small vector that fools the model on most samples it is added to",
    params=UniversalParams,
    load=_universal,
    metrics=frozenset({"loss", "reached", "fooling_rate", "size"}),
)

PATCH = Perturbation(
    name="patch",
    summary="a patch that makes a model say one class wherever it is pasted",
    params=PatchParams,
    load=_patch,
    goals=_TARGETED,
)

STICKER = Perturbation(
    name="sticker",
    summary="a printable sticker on an object, fitted over distances, angles and light (RP2)",
    params=StickerParams,
    load=_sticker,
    goals=_TARGETED,
    metrics=frozenset({"loss", "reached", "nps", "size"}),
)

TEXTURE = Perturbation(
    name="texture",
    summary="the texture of a three-dimensional object, fitted over random poses",
    params=TextureParams,
    load=_texture,
    goals=_TARGETED,
    metrics=frozenset({"loss", "reached", "distance"}),
)

COMPONENTS: tuple[AnyComponent, ...] = (APPLY, UNIVERSAL, PATCH, STICKER, TEXTURE)
