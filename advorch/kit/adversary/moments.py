"""Samples at moments of a game, always of the same codes: how a generator came to what it is."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from advorch.kit.adversary.match import Match

_FILE = "moments.safetensors"


@dataclass(frozen=True, slots=True)
class Moments:
    """What was drawn after each of so many steps; the first axis of `x` is the moment."""

    steps: tuple[int, ...]
    x: Tensor


class Album:
    """Keeps samples of the same codes at moments that are spread evenly over a game."""

    def __init__(self, moments: int, samples: int, seed: int) -> None:
        self._wanted, self._samples, self._seed = moments, samples, seed
        self._steps: list[int] = []
        self._kept: list[Tensor] = []

    def look(self, match: Match, steps: int) -> None:
        """Keep samples, if so much of the game is over since the last ones; call it whenever the game reports."""
        last = self._steps[-1] if self._steps else 0
        if match.step * self._wanted // steps > last * self._wanted // steps:
            self._steps.append(match.step)
            self._kept.append(match.sample(self._samples, self._seed))

    def save(self, folder: Path) -> None:
        """Write what was kept, if anything."""
        if self._steps:
            save_file({"steps": torch.tensor(self._steps), "x": torch.stack(self._kept)}, folder / _FILE)

    def load(self, folder: Path) -> None:
        """Go on from what was written."""
        if (found := read_moments(folder)) is not None:
            self._steps, self._kept = list(found.steps), list(found.x)


def read_moments(folder: Path) -> Moments | None:
    """What was kept beside a generator, if anything was."""
    path = folder / _FILE
    if not path.is_file():
        return None
    tensors = load_file(path)
    return Moments(tuple(tensors["steps"].tolist()), tensors["x"])
