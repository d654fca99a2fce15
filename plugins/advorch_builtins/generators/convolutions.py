"""The networks of Radford et al. 2015, arXiv:1511.06434: strided convolutions, no pooling, no hidden dense layer."""

from typing import Literal

from torch import Tensor, nn

from advorch.kit.adversary.space import Space

Norm = Literal["batch", "layer", "none"]
_SMALLEST = 4  # pixels a side where pictures begin
_LEAST_HALVINGS = 2
_DEVIATION = 0.02  # of initial weights
_SLOPE = 0.2  # of LeakyReLU


def halvings(shape: tuple[int, ...]) -> int:
    """How often both sides of a picture can be halved: 28 to 14 to 7, 32 to 16 to 8 to 4."""
    if len(shape) != 3:
        return 0
    sides: tuple[int, ...] = shape[1:]
    count = 0
    while all(side % 2 == 0 and side > _SMALLEST for side in sides):
        sides, count = tuple(side // 2 for side in sides), count + 1
    return count


def suits(shape: tuple[int, ...]) -> bool:
    """Whether samples are pictures that these networks can make."""
    return halvings(shape) >= _LEAST_HALVINGS


class PictureGenerator(nn.Module):
    """Transposed convolutions with batch norm and ReLU; the last layer has neither."""

    def __init__(self, inputs: int, width: int, space: Space) -> None:
        super().__init__()
        channels, height, wide = space.signature.shape
        times = halvings(space.signature.shape)
        self._start = (width << (times - 1), height >> times, wide >> times)
        self._bounded = space.bounded
        first, rows, columns = self._start
        self.seed = nn.Linear(inputs, first * rows * columns, bias=False)
        layers: list[nn.Module] = [nn.BatchNorm2d(first), nn.ReLU()]
        for level in range(times - 1):
            layers += [_up(first >> level, first >> (level + 1), bias=False), nn.BatchNorm2d(first >> (level + 1))]
            layers += [nn.ReLU()]
        self.body = nn.Sequential(*layers, _up(width, channels, bias=True))
        self.apply(initialise)

    def forward(self, code: Tensor) -> Tensor:
        """Pictures in the players' coordinates."""
        made: Tensor = self.body(self.seed(code).view(-1, *self._start))
        return made.tanh() if self._bounded else made


def picture_trunk(shape: tuple[int, ...], planes: int, width: int, norm: Norm) -> nn.Sequential:
    """The critic up to its features; `planes` are channels of labels beside the picture's, and its first layer has no
    norm.
    """
    times = halvings(shape)
    layers: list[nn.Module] = [_down(shape[0] + planes, width, bias=True), nn.LeakyReLU(_SLOPE)]
    for level in range(times - 1):
        wider = width << (level + 1)
        layers += [_down(width << level, wider, bias=norm == "none"), *_normalised(norm, wider), nn.LeakyReLU(_SLOPE)]
    trunk = nn.Sequential(*layers, nn.Flatten())
    return trunk.apply(initialise) if norm == "batch" else trunk


def trunk_size(shape: tuple[int, ...], width: int) -> int:
    """How many features a trunk has."""
    times = halvings(shape)
    return (width << (times - 1)) * (shape[1] >> times) * (shape[2] >> times)


def initialise(part: nn.Module) -> None:
    """Weights about 0, and gains about 1, all within a few hundredths."""
    if isinstance(part, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(part.weight, 0.0, _DEVIATION)
    if isinstance(part, nn.BatchNorm2d):
        nn.init.normal_(part.weight, 1.0, _DEVIATION)


def _up(inputs: int, outputs: int, *, bias: bool) -> nn.Module:
    return nn.ConvTranspose2d(inputs, outputs, kernel_size=4, stride=2, padding=1, bias=bias)


def _down(inputs: int, outputs: int, *, bias: bool) -> nn.Module:
    return nn.Conv2d(inputs, outputs, kernel_size=4, stride=2, padding=1, bias=bias)


def _normalised(norm: Norm, channels: int) -> list[nn.Module]:
    layers: dict[Norm, list[nn.Module]] = {
        "batch": [nn.BatchNorm2d(channels)],
        "layer": [nn.GroupNorm(1, channels)],
        "none": [],
    }
    return layers[norm]
