"""Random numbers by sample: a pure function of seed, sample id and path, whatever the batch, worker or device."""

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from advorch.seeds import derive

# splitmix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
_GAMMA: Final = 0x9E3779B97F4A7C15
_FIRST: Final = 0xBF58476D1CE4E5B9
_SECOND: Final = 0x94D049BB133111EB


class Draws:
    """One independent stream for each sample.

    Successive calls give fresh numbers; a fork depends on the path of names that led to it, not on what was drawn
    before. Uniform numbers, integers and signs are equal bit for bit on every device; normal ones go through the
    device's own `erfinv` and may differ in the last bit between a CPU and a GPU.
    """

    def __init__(self, seed: int, ids: Tensor) -> None:
        self.seed = seed
        self.ids = ids.to(torch.int64)
        self._position = 0
        self._keys: Tensor | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def fork(self, name: str | int) -> "Draws":
        """Streams of their own for a purpose, a step or a restart."""
        return Draws(derive(self.seed, name), self.ids)

    def take(self, index: "Tensor | slice") -> "Draws":
        """The same streams, where they stand, for the samples at an index."""
        taken = Draws(self.seed, self.ids[index.to(self.ids.device) if isinstance(index, Tensor) else index])
        taken._position = self._position
        return taken

    def uniform(self, shape: Sequence[int], low: float = 0.0, high: float = 1.0, *, like: Tensor) -> Tensor:
        """Uniform on a grid of 24 bits (53 in float64) over [low, high], with the dtype and device of `like`."""
        bits = 53 if like.dtype == torch.float64 else 24
        unit = _high_bits(self._words(shape, like.device), bits).to(_wide(like)) * 2.0**-bits
        return (unit * (high - low) + low).to(like.dtype)

    def normal(self, shape: Sequence[int], *, like: Tensor) -> Tensor:
        """Standard normal by inversion, so that float32 and float64 differ by rounding alone."""
        centred = _high_bits(self._words(shape, like.device), 52).to(torch.float64).add_(0.5).mul_(2.0**-51).sub_(1)
        return centred.erfinv_().mul_(math.sqrt(2)).to(like.dtype)

    def exponential(self, shape: Sequence[int], *, like: Tensor) -> Tensor:
        """Exponential with mean one; never zero."""
        above_zero = _high_bits(self._words(shape, like.device), 52).to(torch.float64).add_(0.5).mul_(2.0**-52)
        return above_zero.log_().neg_().to(like.dtype)

    def integers(self, shape: Sequence[int], low: int, high: int) -> Tensor:
        """Integers in [low, high), on the device of the ids."""
        return _high_bits(self._words(shape, self.ids.device), 63) % (high - low) + low

    def sign(self, shape: Sequence[int], *, like: Tensor) -> Tensor:
        """Plus or minus one, evenly."""
        return (_high_bits(self._words(shape, like.device), 1) * 2 - 1).to(like.dtype)

    def _words(self, shape: Sequence[int], device: torch.device) -> Tensor:
        """The next 64 random bits of every stream for every number asked for."""
        count = math.prod(shape)
        first, self._position = self._position + 1, self._position + count
        steps = torch.arange(first, first + count, device=device) * _signed(_GAMMA)
        if self._keys is None or self._keys.device != device:
            self._keys = _mix(_mix(self.ids.to(device) * _signed(_GAMMA)) + derive("draws/1", self.seed))
        return _mix(self._keys[:, None] + steps).view(len(self), *shape)


def _mix(words: Tensor) -> Tensor:
    """The finaliser of splitmix64, in place: a bijection of 64 bits that leaves no visible structure."""
    words ^= _high_bits(words, 34)
    words *= _signed(_FIRST)
    words ^= _high_bits(words, 37)
    words *= _signed(_SECOND)
    words ^= _high_bits(words, 33)
    return words


def _high_bits(words: Tensor, count: int) -> Tensor:
    """The highest so many bits as a number; int64 shifts copy the sign, which the mask takes away."""
    return (words >> (64 - count)).bitwise_and_((1 << count) - 1)


def _signed(word: int) -> int:
    """The same 64 bits as torch's signed integers spell them."""
    return word - (1 << 64) if word >> 63 else word


def _wide(like: Tensor) -> torch.dtype:
    """At least float32: halves have fewer bits than the grid."""
    return torch.float64 if like.dtype == torch.float64 else torch.float32
