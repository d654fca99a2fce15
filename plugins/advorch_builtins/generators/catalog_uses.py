"""What is done with trained generators, described: samples, ways between them, codes, and models behind them."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, JsonValue

from advorch.api import (
    AnyComponent,
    ArtifactType,
    Count,
    Kind,
    ModelRef,
    Params,
    Port,
    Share,
    Stage,
    StageFn,
    Wrapper,
    WrapperFn,
)

_GENERATOR = Port(ArtifactType.GENERATOR)
_SAMPLES = Port(ArtifactType.SAMPLES)
_JUDGE = Port(ArtifactType.MODEL, optional=True)
_STAND_IN: Final[Mapping[str, JsonValue]] = {
    "component": "generate/stand-in",
    "arguments": {},
    "samples": {"shape": [1], "classes": [], "box": None},
    "inner": {"uses": "stand-in"},
}
_CLASS = Field(description="of a conditional generator: the class that is asked for, by number or name")


class SampleParams(Params):
    """Samples to train on, or to look at."""

    samples: Annotated[Count, Field(description="how many")] = 1000
    classes: Annotated[
        tuple[int | str, ...],
        Field(description="of a conditional generator: classes to ask for in turn, by number or name; default: all"),
    ] = ()
    least: Annotated[
        Share, Field(description="with a model connected: keep what it gives its class at least this probability")
    ] = 0.0


class InterpolateParams(Params):
    """Ways between codes."""

    pairs: Annotated[Count, Field(description="ways, each from one sample to another")] = 8
    steps: Annotated[int, Field(ge=2, description="samples on each way, both ends among them")] = 10
    path: Annotated[
        Literal["slerp", "lerp"],
        Field(description="a great circle, which suits normal codes, or straight, which suits an encoder's"),
    ] = "slerp"
    class_: Annotated[int | str | None, Field(alias="class", description=_CLASS.description)] = None


class EncodeParams(Params):
    """Codes of data."""


class DecodeParams(Params):
    """Samples of codes."""

    class_: Annotated[int | str | None, Field(alias="class", description=_CLASS.description)] = None


class ComposeParams(Params):
    """A model behind a generator, and codes to attack it with."""

    samples: Annotated[Count, Field(description="codes that are drawn")] = 1000
    class_: Annotated[int | str | None, Field(alias="class", description=_CLASS.description)] = None


class MixParams(Params):
    """Several data sets as one."""


class HideLabelsParams(Params):
    """A few labels of many."""

    labels: Annotated[Count, Field(description="samples that keep their label, equally many of each class")] = 100


class BehindGeneratorParams(Params):
    """What `generate/compose` writes down."""

    model_config = ConfigDict(json_schema_extra={"examples": [dict(_STAND_IN)]})

    component: Annotated[str, Field(description="the generator's component")]
    arguments: Annotated[dict[str, JsonValue], Field(description="its parameters")]
    samples: Annotated[dict[str, JsonValue], Field(description="what its samples are like")]
    label: Annotated[int, Field(description="the class that it is asked for; -1: none")] = -1
    inner: Annotated[ModelRef, Field(description="the architecture that judges its samples")]


def _sample() -> StageFn[SampleParams]:
    from advorch_builtins.generators.sampling import sample

    return sample


def _interpolate() -> StageFn[InterpolateParams]:
    from advorch_builtins.generators.interpolation import interpolate

    return interpolate


def _encode() -> StageFn[EncodeParams]:
    from advorch_builtins.generators.coding import encode

    return encode


def _decode() -> StageFn[DecodeParams]:
    from advorch_builtins.generators.coding import decode

    return decode


def _compose() -> StageFn[ComposeParams]:
    from advorch_builtins.generators.composing import compose

    return compose


def _mix() -> StageFn[MixParams]:
    from advorch_builtins.generators.mixing import mix

    return mix


def _hide_labels() -> StageFn[HideLabelsParams]:
    from advorch_builtins.generators.hiding import hide_labels

    return hide_labels


def _behind_generator() -> WrapperFn[BehindGeneratorParams]:
    from advorch_builtins.generators.composing import build

    return build


BEHIND_GENERATOR = Wrapper(
    name="behind-generator",
    summary="a classifier that takes a generator's codes; made by `generate/compose`",
    params=BehindGeneratorParams,
    load=_behind_generator,
    codes=True,
)
COMPONENTS: tuple[AnyComponent, ...] = (
    Stage(
        name="sample",
        summary="new samples of a trained generator, with classes where it knows some or a model names them",
        params=SampleParams,
        load=_sample,
        stage=Kind.GENERATE,
        metrics=frozenset({"samples", "drawn"}),
        consumes={"generator": _GENERATOR, "model": _JUDGE},
        produces={"samples": _SAMPLES},
    ),
    Stage(
        name="interpolate",
        summary="samples on the way from one code to another, as a strip and as a moving picture",
        params=InterpolateParams,
        load=_interpolate,
        stage=Kind.GENERATE,
        metrics=frozenset({"largest_step", "path_length", "sure_midpoints"}),
        consumes={"generator": _GENERATOR, "data": Port(ArtifactType.DATASET, optional=True), "model": _JUDGE},
        produces={"samples": _SAMPLES, "report": Port(ArtifactType.REPORT)},
    ),
    Stage(
        name="encode",
        summary="the codes that an autoencoder gives to data, as data",
        params=EncodeParams,
        load=_encode,
        stage=Kind.GENERATE,
        metrics=frozenset({"reconstruction_error"}),
        consumes={"generator": _GENERATOR, "data": Port(ArtifactType.DATASET)},
        produces={"codes": Port(ArtifactType.DATASET)},
    ),
    Stage(
        name="decode",
        summary="the samples that codes stand for, attacked ones among them",
        params=DecodeParams,
        load=_decode,
        stage=Kind.GENERATE,
        consumes={"generator": _GENERATOR, "codes": Port(ArtifactType.DATASET)},
        produces={"samples": _SAMPLES},
    ),
    Stage(
        name="compose",
        summary="a classifier behind a generator, which takes codes and can be attacked through them, and such codes",
        params=ComposeParams,
        load=_compose,
        stage=Kind.GENERATE,
        metrics=frozenset({"agreement"}),
        consumes={"generator": _GENERATOR, "model": Port(ArtifactType.MODEL)},
        produces={"model": Port(ArtifactType.MODEL), "codes": Port(ArtifactType.DATASET)},
    ),
    Stage(
        name="mix",
        summary="several sets of labelled samples as one, to train on data and generated samples together",
        params=MixParams,
        load=_mix,
        stage=Kind.GENERATE,
        metrics=frozenset({"samples"}),
        consumes={"data": Port(ArtifactType.DATASET, many=True)},
        produces={"data": Port(ArtifactType.DATASET)},
    ),
    Stage(
        name="hide-labels",
        summary="the same samples with all labels but a few taken away, and those few by themselves",
        params=HideLabelsParams,
        load=_hide_labels,
        stage=Kind.GENERATE,
        metrics=frozenset({"labels"}),
        consumes={"data": Port(ArtifactType.DATASET)},
        produces={"data": Port(ArtifactType.DATASET), "labelled": Port(ArtifactType.DATASET)},
    ),
    BEHIND_GENERATOR,
)
