"""The networks of Karras et al. 2018: equalised learning rates, pixel norm, deviation over the minibatch, fading in.

Both players hold all levels from the start. How far they have grown, the newest level and how much of it is faded in,
is a buffer: weights say by themselves how they are to be used.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

SMALLEST = 4
_SLOPE = 0.2
_TINY = 1e-8
_GROUP = 4  # samples whose deviation is taken together


class Equalised(nn.Module):
    """A layer whose weights start as standard normal numbers and are scaled by He's constant when they are used."""

    def __init__(self, layer: nn.Linear | nn.Conv2d, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        nn.init.normal_(layer.weight)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
        self.layer, self._scale = layer, gain / math.sqrt(layer.weight[0].numel())

    def forward(self, x: Tensor) -> Tensor:
        """The layer with scaled weights; its bias is not scaled."""
        weight = self.layer.weight * self._scale
        if isinstance(self.layer, nn.Linear):
            return functional.linear(x, weight, self.layer.bias)
        return functional.conv2d(x, weight, self.layer.bias, padding=self.layer.padding)


class PixelNorm(nn.Module):
    """Every pixel's channels at unit mean square."""

    def forward(self, x: Tensor) -> Tensor:
        """Divide by the root mean square over channels."""
        return x * (x.square().mean(dim=1, keepdim=True) + _TINY).rsqrt()


class Growing(nn.Module):
    """What both players know of how far they have grown; `levels` count from 4 pixels a side."""

    grown: Tensor

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.register_buffer("grown", torch.tensor([0.0, 1.0]))

    def grow(self, to: float) -> None:
        """Set how far."""
        level = math.ceil(to)
        self.fade(level, 1.0 if level == to else to - (level - 1))

    def fade(self, level: int, alpha: float) -> None:
        """Set the newest level, and how much of it is seen."""
        self.grown.copy_(torch.tensor([level, alpha]))

    def stand(self) -> tuple[int, float]:
        """The newest level that is used, and how much of it is faded in."""
        level, alpha = self.grown.tolist()
        return int(level), alpha


class GrowingGenerator(Growing):
    """From a code on the sphere to a picture of the newest level; the output is linear."""

    def __init__(self, latent: int, widths: tuple[int, ...], channels: int) -> None:
        super().__init__(len(widths))
        self._first = widths[0]
        # a kernel of 4 by 4 on a single pixel is a dense layer, with the smaller gain of the authors' code
        self.dense = Equalised(nn.Linear(latent, widths[0] * SMALLEST**2), gain=math.sqrt(2) / 4)
        self.first = _block(widths[0], widths[0])
        self.blocks = nn.ModuleList(
            nn.Sequential(_Doubled(), _block(before, after), _block(after, after)) for before, after in pairwise(widths)
        )
        self.colours = nn.ModuleList(Equalised(nn.Conv2d(width, channels, 1), gain=1.0) for width in widths)
        self.norm = PixelNorm()

    def forward(self, code: Tensor) -> Tensor:
        """Pictures at the newest level's size."""
        level, alpha = self.stand()
        dense = self.dense(self.norm(code)).view(-1, self._first, SMALLEST, SMALLEST)
        x = self.first(self.norm(functional.leaky_relu(dense, _SLOPE)))
        for block in self.blocks[: max(0, level - 1)]:
            x = block(x)
        if not level:
            return self._coloured(0, x)
        new = self._coloured(level, self.blocks[level - 1](x))
        return new if alpha == 1 else torch.lerp(doubled(self._coloured(level - 1, x)), new, alpha)

    def _coloured(self, level: int, x: Tensor) -> Tensor:
        picture: Tensor = self.colours[level](x)
        return picture


class GrowingCritic(Growing):
    """A score for pictures of the newest level's size."""

    def __init__(self, widths: tuple[int, ...], channels: int) -> None:
        super().__init__(len(widths))
        self.colours = nn.ModuleList(Equalised(nn.Conv2d(channels, width, 1)) for width in widths)
        self.blocks = nn.ModuleList(
            nn.Sequential(_plain(after, after), _plain(after, before), nn.AvgPool2d(2))
            for before, after in pairwise(widths)
        )
        last = widths[0]
        self.last = nn.Sequential(Spread(), _plain(last + 1, last), nn.Flatten())
        self.dense = Equalised(nn.Linear(last * SMALLEST**2, last))
        self.score = Equalised(nn.Linear(last, 1), gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        """A number for each picture."""
        level, alpha = self.stand()
        features = self._seen(level, x)
        if level:
            features = self.blocks[level - 1](features)
            if alpha < 1:
                features = torch.lerp(self._seen(level - 1, functional.avg_pool2d(x, 2)), features, alpha)
        for block in reversed(self.blocks[: max(0, level - 1)]):
            features = block(features)
        hidden = functional.leaky_relu(self.dense(self.last(features)), _SLOPE)
        scores: Tensor = self.score(hidden)
        return scores.flatten()

    def _seen(self, level: int, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.colours[level](x), _SLOPE)


def doubled(x: Tensor) -> Tensor:
    """Twice as many pixels a side, by the nearest."""
    return functional.interpolate(x, scale_factor=2, mode="nearest")


def shrunk(x: Tensor, level: int, alpha: float) -> Tensor:
    """Pictures as large as a level's, and as sharp as one that is faded in so far."""
    sharp = functional.adaptive_avg_pool2d(x, SMALLEST << level)
    return sharp if alpha == 1 else torch.lerp(doubled(functional.avg_pool2d(sharp, 2)), sharp, alpha)


class _Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return doubled(x)


class Spread(nn.Module):
    """One more channel: how much a group of samples differs, on average over channels and pixels."""

    def forward(self, x: Tensor) -> Tensor:
        """The picture and, at every pixel, its group's deviation."""
        group = _GROUP if len(x) % _GROUP == 0 else len(x)
        groups = x.view(group, -1, *x.shape[1:])
        spread = (groups.var(dim=0, unbiased=False) + _TINY).sqrt().mean(dim=(1, 2, 3))
        return torch.cat([x, spread.repeat(group).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])], dim=1)


def _block(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(_plain(inputs, outputs), PixelNorm())


def _plain(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(Equalised(nn.Conv2d(inputs, outputs, 3, padding=1)), nn.LeakyReLU(_SLOPE))
