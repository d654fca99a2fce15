"""Samples that one can add noise to."""

from torch import Tensor

from advorch.errors import ErrorClass, StageFailed


def check_numbers(x: Tensor, what: str) -> None:
    """An error where the samples are words."""
    if not x.is_floating_point():
        message = f"{what} is for numbers, and these samples are words"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="of the trainings, `train/erm` takes words")
