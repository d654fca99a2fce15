"""What can be put around a model: noise, a transformation of its inputs, a detector; described."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from advorch.api import AnyComponent, Count, ModelRef, NonNegative, Params, Positive, Wrapper, WrapperFn

Inner = Annotated[ModelRef, Field(description="the architecture that is surrounded")]
Backward = Annotated[
    Literal["own", "identity"],
    Field(
        description="how gradients pass: `own`, which is zero behind rounding and JPEG, or `identity`, as if nothing "
        "had been done on the way (BPDA)"
    ),
]


class SmoothedOptions(Params):
    """A vote under noise."""

    sigma: Annotated[NonNegative, Field(description="deviation of the gaussian noise, in the data's own units")] = 0.25
    draws: Annotated[Count, Field(description="noisy copies of each sample in one forward pass, drawn anew")] = 16


class SmoothedParams(SmoothedOptions):
    """A vote of a model under noise."""

    inner: Inner


class Transformation(Params):
    """What is done to an image, in this order; at least one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"bits": 3}]})

    blur: Annotated[Positive | None, Field(description="deviation of a gaussian blur, in pixels")] = None
    median: Annotated[int | None, Field(ge=2, description="side of the square whose median each pixel becomes")] = None
    bits: Annotated[int | None, Field(ge=1, le=8, description="depth of each value")] = None
    jpeg: Annotated[int | None, Field(ge=1, le=100, description="quality of a JPEG file that it is saved as")] = None

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if (self.blur, self.median, self.bits, self.jpeg) == (None,) * 4:
            raise ValueError("give one of `blur`, `median`, `bits` and `jpeg`, or several")
        return self


class TransformedOptions(Transformation):
    """Transformed inputs, and what an attacker is given of them."""

    backward: Backward = "own"


class TransformedParams(TransformedOptions):
    """A model behind a transformation of its inputs."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"bits": 3, "inner": {"uses": "stand-in"}}]})

    inner: Inner


class DetectedOptions(Params):
    """A detector that looks at what the model says, or at what one of its layers does."""

    layer: Annotated[str, Field(description="as `named_modules` calls it; by default the logits")] = ""
    hidden: Annotated[tuple[Count, ...], Field(description="units of the detector's hidden layers")] = (64, 64)


class DetectedParams(DetectedOptions):
    """A model that refuses what its detector takes for adversarial."""

    inner: Inner


class SqueezedOptions(Params):
    """Feature squeezing (Xu et al. 2018): does the model say the same of simpler pictures?"""

    squeezers: Annotated[
        tuple[Transformation, ...], Field(min_length=1, description="each makes a simpler picture of its own")
    ] = (Transformation(bits=1), Transformation(median=2))
    backward: Backward = "identity"


class SqueezedParams(SqueezedOptions):
    """A model that refuses what it takes for something else when squeezed."""

    inner: Inner


def _smoothed() -> WrapperFn[SmoothedParams]:
    from advorch_builtins.models.smoothed import build

    return build


def _transformed() -> WrapperFn[TransformedParams]:
    from advorch_builtins.models.transformed import build

    return build


def _detected() -> WrapperFn[DetectedParams]:
    from advorch_builtins.models.detected import build

    return build


def _squeezed() -> WrapperFn[SqueezedParams]:
    from advorch_builtins.models.squeezed import build

    return build


COMPONENTS: tuple[AnyComponent, ...] = (
    Wrapper(
        name="smoothed",
        summary="the mean of a model's probabilities under gaussian noise that is drawn anew in every pass",
        params=SmoothedParams,
        load=_smoothed,
        random=True,
    ),
    Wrapper(
        name="transformed",
        summary="a model behind a transformation of its images: blur, median, bit depth, JPEG",
        params=TransformedParams,
        load=_transformed,
    ),
    Wrapper(
        name="detected",
        summary="a model that refuses to answer where a detector on its logits or a layer says so",
        params=DetectedParams,
        load=_detected,
        refuses=True,
    ),
    Wrapper(
        name="squeezed",
        summary="a model that refuses to answer where it answers otherwise of a squeezed image",
        params=SqueezedParams,
        load=_squeezed,
        refuses=True,
    ),
)
