"""Fully connected players, for points of the plane and small pictures."""

import math

from torch import Tensor, nn

from advorch.kit.adversary.space import Space


def perceptron(inputs: int, hidden: tuple[int, ...]) -> nn.Sequential:
    """Hidden layers; the last of them is the output. ReLU, as in the toys of most papers: leaky ones blur a mixture."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers)


class FlatGenerator(nn.Module):
    """From a code to a sample of any shape, squashed where the data has a box."""

    def __init__(self, inputs: int, hidden: tuple[int, ...], space: Space) -> None:
        super().__init__()
        self._shape, self._bounded = space.signature.shape, space.bounded
        self.body = perceptron(inputs, hidden)
        self.out = nn.Linear(hidden[-1], math.prod(self._shape))

    def forward(self, code: Tensor) -> Tensor:
        """Samples in the players' coordinates."""
        made: Tensor = self.out(self.body(code)).view(-1, *self._shape)
        return made.tanh() if self._bounded else made
