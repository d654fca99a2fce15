"""Pictures of any size as squares that can be halved down to 4 pixels, and back."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from advorch.api import ErrorClass, Signature, StageFailed
from advorch.kit.adversary.space import Space
from advorch_builtins.generators.growing import SMALLEST


@dataclass(frozen=True, slots=True)
class Canvas(Space):
    """A picture stands in the middle of the smallest such square; 28 pixels a side on 32."""

    @property
    def levels(self) -> int:
        """How many sizes there are from the smallest on."""
        side = max(self.signature.shape[1:])
        return 1 + max(0, (-(-side // SMALLEST) - 1).bit_length())

    @property
    def side(self) -> int:
        """Of the largest."""
        return SMALLEST << (self.levels - 1)

    def inward(self, x: Tensor) -> Tensor:
        """Pictures on their canvas, which is black where they are not."""
        (left, right), (top, bottom) = self._margins()
        blank = -1.0 if self.bounded else 0.0
        return functional.pad(Space.inward(self, x), (left, right, top, bottom), value=blank)

    def outward(self, z: Tensor) -> Tensor:
        """Pictures of any level at the data's size."""
        (left, _), (top, _) = self._margins()
        whole = functional.interpolate(z, size=(self.side, self.side), mode="nearest")
        height, width = self.signature.shape[1:]
        return Space.outward(self, whole[:, :, top : top + height, left : left + width])

    def _margins(self) -> tuple[tuple[int, int], tuple[int, int]]:
        spare = [self.side - pixels for pixels in self.signature.shape[:0:-1]]
        return (spare[0] // 2, spare[0] - spare[0] // 2), (spare[1] // 2, spare[1] - spare[1] // 2)


def canvas_of(signature: Signature) -> Canvas:
    """The canvas of pictures; anything else has none."""
    if len(signature.shape) != 3:
        message = f"only pictures grow, and samples are of shape {signature.shape}"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="use another generator")
    return Canvas(signature)
