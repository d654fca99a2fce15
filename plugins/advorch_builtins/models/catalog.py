"""Architectures by name: parameters are told here, nothing heavy is imported."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from advorch.api import (
    Access,
    AnyComponent,
    Components,
    Count,
    Location,
    Model,
    ModelFn,
    Params,
    Positive,
    expand,
    hookimpl,
)
from advorch_builtins.sources import source_files

Dropped = Annotated[float, Field(ge=0, lt=1, description="share of values set to zero in training")]


class LinearParams(Params):
    """Softmax regression."""

    initial: Annotated[Literal["torch", "zero"], Field(description="weights as torch draws them, or zero")] = "torch"


class MlpParams(Params):
    """A fully connected network."""

    hidden: Annotated[tuple[Count, ...], Field(description="units of each hidden layer")] = (128, 128)
    activation: Literal["relu", "leaky-relu", "elu", "celu", "softplus", "tanh", "sigmoid"] = "relu"
    dropout: Dropped = 0.0
    input_dropout: Dropped = 0.0
    batch_norm: Annotated[
        Literal["none", "hidden", "all"],
        Field(description="before the activation of every hidden layer, and with `all` on the logits too"),
    ] = "none"
    initial: Annotated[
        Literal["torch", "normal"],
        Field(description="weights as torch draws them, or normal of variance 1 / inputs and biases of zero"),
    ] = "torch"


class MaxoutParams(Params):
    """Layers whose units are the largest of several linear pieces."""

    units: Count = 240
    layers: Count = 2
    pieces: Count = 5
    input_dropout: Dropped = 0.2
    dropout: Dropped = 0.5


class FixedParams(Params):
    """The sizes are those of the literature."""


class SmallCnnParams(Params):
    """Four convolutions and three layers."""

    dropout: Dropped = 0.5
    padding: Annotated[Literal[0, 1], Field(description="0 as published; 1 also fits images below 16x16")] = 0


class NinParams(Params):
    """A network in network."""

    dropout: Dropped = 0.5


class ResnetParams(Params):
    """A residual network for small images."""

    width: Annotated[Count, Field(description="channels of the first stage")] = 64
    activation: Literal["relu", "celu"] = "relu"
    batch_norm: Annotated[Literal["none", "hidden"], Field(description="after each convolution, or nowhere")] = "hidden"


class ImportedParams(Params):
    """Any importable architecture, with weights of your own."""

    target: Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$", description="package.module:Name, called for the module")]
    arguments: Annotated[dict[str, JsonValue], Field(default_factory=dict, description="keyword arguments of the call")]
    weights: Annotated[
        Location | None, Field(description="state dict: .safetensors, or a torch file that holds tensors only")
    ] = None
    classes: Annotated[
        Location | None,
        Field(description="class names of the outputs, one a line; outputs are put into the order of the data's"),
    ] = None
    mean: Annotated[tuple[float, ...], Field(description="taken from each channel of a raw input")] = ()
    std: Annotated[tuple[Positive, ...], Field(description="each channel is divided by")] = ()
    access: Annotated[Literal["gradients", "scores", "labels"], Field(description="what attackers may ask")] = (
        "gradients"
    )


def _linear() -> ModelFn[LinearParams]:
    from advorch_builtins.models.linear import build

    return build


def _mlp() -> ModelFn[MlpParams]:
    from advorch_builtins.models.mlp import build

    return build


def _fc500() -> ModelFn[FixedParams]:
    from advorch_builtins.models.fc500 import build

    return build


def _maxout() -> ModelFn[MaxoutParams]:
    from advorch_builtins.models.maxout import build

    return build


def _lenet() -> ModelFn[FixedParams]:
    from advorch_builtins.models.lenet import build

    return build


def _nin() -> ModelFn[NinParams]:
    from advorch_builtins.models.nin import build

    return build


def _small_cnn() -> ModelFn[SmallCnnParams]:
    from advorch_builtins.models.small_cnn import build

    return build


def _madry_cnn() -> ModelFn[FixedParams]:
    from advorch_builtins.models.madry_cnn import build

    return build


def _fast_cnn() -> ModelFn[FixedParams]:
    from advorch_builtins.models.fast_cnn import build

    return build


def _resnet18() -> ModelFn[ResnetParams]:
    from advorch_builtins.models.resnet import build

    return build


def _imported() -> ModelFn[ImportedParams]:
    from advorch_builtins.models.imported import build

    return build


def _granted(params: ImportedParams) -> Access:
    return Access(params.access)


def _own_files(params: ImportedParams) -> Sequence[Path]:
    """Weights, class names, and the code of the architecture: all of them decide the model."""
    named = [expand(location) for location in (params.weights, params.classes) if location]
    return [*named, *source_files(params.target)]


LINEAR = Model(
    name="linear", summary="softmax regression: one linear layer, any shape of input", params=LinearParams, load=_linear
)
MLP = Model(name="mlp", summary="fully connected layers, any shape of input", params=MlpParams, load=_mlp)
FC500 = Model(
    name="fc500-150-10",
    summary="fully connected 500-150-classes, the MNIST net of the DeepFool table",
    params=FixedParams,
    load=_fc500,
)
MAXOUT = Model(
    name="maxout",
    summary="maxout layers with dropout (Goodfellow et al. 2013), any shape of input",
    params=MaxoutParams,
    load=_maxout,
)
LENET = Model(
    name="lenet",
    summary="two 5x5 convolutions (20, 50) and 500 units: the Caffe LeNet, images from 16x16",
    params=FixedParams,
    load=_lenet,
)
NIN = Model(name="nin", summary="network in network (Lin et al. 2013), images from 8x8", params=NinParams, load=_nin)
SMALL_CNN = Model(
    name="small-cnn",
    summary="four 3x3 convolutions and three layers, the MNIST net of TRADES",
    params=SmallCnnParams,
    load=_small_cnn,
)
MADRY_CNN = Model(
    name="madry-cnn",
    summary="two 5x5 convolutions (32, 64) and 1024 units, the MNIST net of Madry et al., images from 4x4",
    params=FixedParams,
    load=_madry_cnn,
)
FAST_CNN = Model(
    name="fast-cnn",
    summary="two 4x4 convolutions (16, 32) and 100 units, the MNIST net of fast adversarial training, images from 4x4",
    params=FixedParams,
    load=_fast_cnn,
)
RESNET18 = Model(
    name="resnet18",
    summary="residual network with 18 layers for small images (first convolution 3x3, no pooling after it)",
    params=ResnetParams,
    load=_resnet18,
)
IMPORTED = Model(
    name="imported",
    summary="your own architecture by import path, with your own weights",
    params=ImportedParams,
    load=_imported,
    grants=_granted,
    files=_own_files,
)


@hookimpl
def advorch_components() -> Components:
    """Every architecture that comes with advorch."""
    from advorch_builtins.models import catalog_around, catalog_masked

    every: tuple[AnyComponent, ...] = (
        LINEAR, MLP, FC500, MAXOUT, LENET, NIN, SMALL_CNN, MADRY_CNN, FAST_CNN, RESNET18, IMPORTED,
        *catalog_masked.COMPONENTS, *catalog_around.COMPONENTS,
    )  # fmt: skip
    return every
