"""What a camera may meet: the law that poses, light and background are drawn from. Plain data, no torch."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.params import NonNegative, Params, Positive, Share

Degrees = Annotated[float, Field(ge=0, le=180)]
Span = tuple[Positive, Positive]


class Scene(Params):
    """A picture on a plate, a ball or a can in front of a pinhole camera; every range is drawn from evenly.

    Lengths are in halves of the object's side. A frontal plate takes `scale` of the frame's side.
    """

    shape: Annotated[Literal["plate", "ball", "can"], Field(description="what the picture is printed on")] = "plate"
    outline: Annotated[
        Literal["square", "disc", "octagon"], Field(description="of the object, where the photo's own surroundings end")
    ] = "square"
    extent: Annotated[Share, Field(gt=0, description="share of the photo's side that the object takes")] = 1.0
    background: Annotated[
        Literal["photo", "drawn"],
        Field(description="behind the object: the photo's surroundings, continued at its edge, or a drawn field"),
    ] = "photo"
    copies: Annotated[int, Field(ge=1, description="how often the picture goes around a ball or a can")] = 2
    yaw: Annotated[Degrees, Field(description="largest turn about the upright axis, to either side")] = 30.0
    pitch: Annotated[Degrees, Field(description="largest turn about the level axis, to either side")] = 15.0
    roll: Annotated[Degrees, Field(description="largest turn about the line of sight, to either side")] = 10.0
    distance: Annotated[Span, Field(description="from the camera: the nearer, the stronger the perspective")] = (
        4.0,
        32.0,
    )
    scale: Annotated[Span, Field(description="share of the frame that the object takes, seen from the front")] = (
        0.7,
        1.0,
    )
    shift: Annotated[Share, Field(description="largest offset from the middle of the frame, as a share of it")] = 0.05
    pixels: Annotated[Span, Field(description="how many pixels across the camera has for the frame")] = (16.0, 64.0)
    brightness: Annotated[NonNegative, Field(description="largest offset of all values, the range being one")] = 0.15
    contrast: Annotated[Span, Field(description="factor of the distance from the middle of the range")] = (0.7, 1.2)
    gamma: Annotated[Span, Field(description="exponent of the values, the range being from zero to one")] = (0.8, 1.25)
    shade: Annotated[Share, Field(description="how dark a ball or a can may get where it turns from the light")] = 0.4
    noise: Annotated[
        NonNegative, Field(description="standard deviation of the camera's noise, the range being one")
    ] = 0.0

    @property
    def curved(self) -> bool:
        """Whether the picture goes around the object."""
        return self.shape != "plate"
