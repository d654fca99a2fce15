"""The coordinates that a game is played in: [-1, 1] where the data has a box, the data's own where it has none."""

from dataclasses import dataclass

from torch import Tensor

from advorch.artifacts import Signature
from advorch.kit.box import ends_of, into_box


@dataclass(frozen=True, slots=True)
class Space:
    """Between the data's units and the players'."""

    signature: Signature

    @property
    def bounded(self) -> bool:
        """Whether samples have a legal range, and a generator's last layer a squashing function."""
        return self.signature.box is not None

    def inward(self, x: Tensor) -> Tensor:
        """Samples as the players see them."""
        if self.signature.box is None:
            return x
        low, high = ends_of(self.signature.box, self.signature.shape, x)
        return (x - low) * (2 / (high - low)) - 1

    def outward(self, z: Tensor) -> Tensor:
        """What players made, as samples in the data's box."""
        if self.signature.box is None:
            return z
        low, high = ends_of(self.signature.box, self.signature.shape, z)
        return into_box(low + (high - low) * (z + 1) / 2, self.signature.box, self.signature.shape)
