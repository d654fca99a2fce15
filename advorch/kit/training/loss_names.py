"""What the losses of a classifier are called; light, for those that describe parameters."""

from typing import Annotated, Literal

from pydantic import Field

LossName = Annotated[
    Literal["cross-entropy", "squared", "hinge", "logistic"],
    Field(description="the last three know labels of -1 and +1 alone: of more than two classes each against the rest"),
]
