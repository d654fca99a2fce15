"""An architecture of the user's own, by import path."""

import importlib
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from advorch.api import ErrorClass, Signature, StageFailed, expand
from advorch_builtins.models.catalog import ImportedParams
from advorch_builtins.models.parts import Normalise, class_count


class Chosen(nn.Module):
    """Some of the outputs, in another order; which, is kept with the weights.

    Where it cannot be known when building, it comes with the weights of an artifact, or the first use complains.
    """

    index: Tensor

    def __init__(self, index: Sequence[int], complaint: StageFailed | None = None) -> None:
        super().__init__()
        self.complaint = complaint
        self.register_buffer("index", torch.tensor(index), persistent=True)

    def forward(self, logits: Tensor) -> Tensor:
        if self.complaint:
            raise self.complaint
        return logits[:, self.index]

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self.complaint = None
        super()._load_from_state_dict(*args, **kwargs)


def build(params: ImportedParams, signature: Signature) -> nn.Module:
    """Normalisation, the architecture with its weights, and its outputs in the order of the data's classes."""
    body = call_target(params.target, params.arguments)
    if params.weights:
        load_weights(body, expand(params.weights))
    module = nn.Sequential(normalisation(params, signature), body)
    outputs = width_of(module, signature, params.target)
    return module.append(arrange(params, signature, outputs))


def call_target(target: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Import the name and call it; what it raises about its arguments is the user's to read."""
    module_name, _, name = target.partition(":")
    try:
        made = attrgetter(name)(importlib.import_module(module_name))(**arguments)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        hint = "`target` is package.module:Name, importable where the stage runs; `arguments` go to its call"
        raise _user_error(f"cannot build '{target}': {error}", hint) from error
    if not isinstance(made, nn.Module):
        raise _user_error(f"'{target}' made a {type(made).__name__}, not a torch module", "name a class or a factory")
    return made


def load_weights(module: nn.Module, path: Path) -> None:
    """A state dict from safetensors, or from a torch file read without running code."""
    if not path.is_file():
        raise _user_error(f"{path} is missing", "`weights` names a file with the state dict")
    state = {name.removeprefix("module."): tensor for name, tensor in read_state(path).items()}
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        fault = " ".join(str(error).split())
        raise _user_error(
            f"{path} does not fit the architecture: {fault}", "are `arguments` those it was trained with?"
        ) from error


def read_state(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a file by name."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, ValueError, EOFError, UnpicklingError) as error:
        hint = "save a plain state dict: torch.save(model.state_dict(), path), or safetensors"
        raise _user_error(f"{path} holds no plain state dict ({str(error).splitlines()[0]})", hint) from error
    state = state.get("state_dict", state) if isinstance(state, Mapping) else {}
    if not state or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise _user_error(f"{path} holds no state dict", "save model.state_dict()")
    return dict(state)


def normalisation(params: ImportedParams, signature: Signature) -> nn.Module:
    """By `mean` and `std` as given: one value, or one a channel."""
    if not params.mean and not params.std:
        return nn.Identity()
    mean, std = params.mean or (0.0,), params.std or (1.0,)
    if any(len(values) not in (1, signature.shape[0]) for values in (mean, std)):
        message = f"`mean` and `std` have {len(mean)} and {len(std)} values, the data has {signature.shape[0]} channels"
        raise _user_error(message, "give one value, or one a channel")
    return Normalise(mean, std, len(signature.shape))


def width_of(module: nn.Module, signature: Signature, target: str) -> int:
    """How many logits it gives, found by one pass over zeros that leaves no trace."""
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            logits = module(torch.zeros(2, *signature.shape))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        message = f"'{target}' does not take samples of shape {signature.shape}: {str(error).splitlines()[0]}"
        raise _user_error(message, "resize the data, or choose other `arguments`") from error
    module.train(training)
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        raise _user_error(f"'{target}' does not return one row of logits a sample", "wrap it in a module that does")
    return logits.shape[1]


def arrange(params: ImportedParams, signature: Signature, outputs: int) -> nn.Module:
    """The outputs that stand for the data's classes."""
    if not params.classes:
        count = class_count(signature)
        message = f"'{params.target}' has {outputs} outputs, the data has {count} classes"
        complaint = _user_error(message, "name its outputs in a `classes` file, one a line")
        return Chosen(range(count), None if outputs == count else complaint)
    names = read_names(expand(params.classes))
    if len(names) != outputs:
        raise _user_error(f"{params.classes} has {len(names)} names for {outputs} outputs", "write one name a line")
    if unknown := [name for name in signature.classes if name not in names]:
        raise _user_error(f"class '{unknown[0]}' of the data is not in {params.classes}", "the names must be the same")
    return Chosen([names.index(name) for name in signature.classes])


def read_names(path: Path) -> list[str]:
    """The lines of the file that are not blank."""
    if not path.is_file():
        raise _user_error(f"{path} is missing", "`classes` names a text file with one class a line")
    return [line.strip() for line in path.read_text().splitlines() if line.strip()]


def _user_error(message: str, hint: str) -> StageFailed:
    return StageFailed(message, error_class=ErrorClass.USER, hint=hint)
