"""Maxout networks (Goodfellow et al. 2013, arXiv:1302.4389), without the limit on column norms."""

from torch import Tensor, nn

from advorch.api import Signature
from advorch_builtins.models.catalog import MaxoutParams
from advorch_builtins.models.parts import class_count, flat_size, unit

_IRANGE = 0.005  # uniform initial weights, as in the MNIST experiments of the paper's pylearn2 configuration


class Maxout(nn.Module):
    """Each unit is the largest of its linear pieces."""

    def __init__(self, width: int, units: int, pieces: int) -> None:
        super().__init__()
        self.units = units
        self.pieces = pieces
        self.linear = nn.Linear(width, units * pieces)
        nn.init.uniform_(self.linear.weight, -_IRANGE, _IRANGE)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        pieces: Tensor = self.linear(x)
        return pieces.view(-1, self.units, self.pieces).amax(2)


def build(params: MaxoutParams, signature: Signature) -> nn.Module:
    """Dropout on the input and after every layer, then logits; inputs in [0, 1]."""
    width = flat_size(signature)
    layers: list[nn.Module] = [unit(signature), nn.Flatten(), nn.Dropout(params.input_dropout)]
    for _ in range(params.layers):
        layers += [Maxout(width, params.units, params.pieces), nn.Dropout(params.dropout)]
        width = params.units
    head = nn.Linear(width, class_count(signature))
    nn.init.uniform_(head.weight, -_IRANGE, _IRANGE)
    nn.init.zeros_(head.bias)
    return nn.Sequential(*layers, head)
