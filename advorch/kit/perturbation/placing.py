"""Where a patch may be pasted: the law of its size and angle. Plain data, no torch."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.params import Params, Share


class Placing(Params):
    """Anywhere in the picture, wholly inside it."""

    outline: Annotated[Literal["square", "disc"], Field(description="of the patch")] = "disc"
    scale: Annotated[tuple[Share, Share], Field(description="share of the picture's side, from and to")] = (
        0.3,
        0.5,
    )
    degrees: Annotated[float, Field(ge=0, le=180, description="largest angle, to either side")] = 45.0
