"""Perturbations at the ports of a stage."""

from collections.abc import Mapping
from typing import Protocol

from advorch.artifacts import Input, StoredInput
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.perturbation.fitted import Fitted, read_fitted


class Ports(Protocol):
    """The part of a stage's context that holds what is connected."""

    inputs: Mapping[str, tuple[Input, ...]]


def open_perturbations(context: Ports, port: str) -> tuple[Fitted, ...]:
    """Everything at a port, in the order of the pipeline."""
    return tuple(_open(source) for source in context.inputs.get(port, ()))


def open_perturbation(context: Ports) -> Fitted | None:
    """What an attack was given beforehand, if anything."""
    found = open_perturbations(context, "perturbation")
    return found[0] if found else None


def _open(source: Input) -> Fitted:
    if not isinstance(source, StoredInput):
        message = "a perturbation port takes what a stage fitted, not declared data"
        raise StageFailed(message, error_class=ErrorClass.USER)
    return read_fitted(source.folder)
