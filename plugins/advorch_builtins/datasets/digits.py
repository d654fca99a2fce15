"""Optical digits of 8x8 pixels, as bundled with scikit-learn."""

import torch

from advorch.kit.data import Data
from advorch_builtins.datasets.catalog import DigitsParams
from advorch_builtins.datasets.reading import check_split, in_turns

_BRIGHTEST = 16.0
_TEST_EVERY = 5


def load(params: DigitsParams, split: str) -> Data:
    """One split; ids are positions in the bundled file, of which every fifth is test."""
    from sklearn.datasets import load_digits

    held_out = check_split(split) == "test"
    bunch = load_digits()
    ids = torch.arange(len(bunch.target))
    ids = ids[(ids % _TEST_EVERY == _TEST_EVERY - 1) == held_out]
    x = torch.from_numpy(bunch.images).float().div(_BRIGHTEST).unsqueeze(1)
    y = torch.from_numpy(bunch.target).long()
    classes = tuple(str(digit) for digit in range(10))
    return in_turns(Data(x=x[ids], y=y[ids], ids=ids, classes=classes, box=(0.0, 1.0)), params.balanced)
