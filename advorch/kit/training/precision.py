"""In which numbers a model is trained."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Literal

import torch

from advorch.kit.data import Data

Precision = Literal["fp32", "fp64", "bf16"]


def weights_dtype(precision: Precision) -> torch.dtype:
    """What weights and samples are kept in: bf16 is for matrix products only, samples stay exact up to the model."""
    return torch.float64 if precision == "fp64" else torch.float32


def computing(precision: Precision, device: str) -> AbstractContextManager[object]:
    """The context in which a loss is computed."""
    if precision == "bf16":
        return torch.autocast(device.partition(":")[0], dtype=torch.bfloat16)
    return nullcontext()


def cast(data: Data, precision: Precision) -> Data:
    """The samples in the precision of the weights; whole numbers, such as words, stay whole."""
    if not data.x.is_floating_point():
        return data
    return replace(data, x=data.x.to(weights_dtype(precision)))
