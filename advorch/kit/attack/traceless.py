"""A model and the process as they were before, whatever happens in between."""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

Mode = Literal["eval", "train"]


@contextmanager
def untouched(module: nn.Module, mode: Mode = "eval", *, seed: int | None = None) -> Iterator[nn.Module]:
    """The module in a mode, its parameters frozen and without gradients; afterwards, also after an error, everything
    is back: each module's mode, `requires_grad`, `.grad`, buffers, and the global random numbers.

    A module that is in training stays as its trainer arranged it, frozen parts included. With a seed, what is random
    inside the module draws the same wherever this runs.
    """
    with ExitStack() as stack:
        for keep in (_keep_modes, _keep_parameters, _keep_buffers):
            stack.callback(keep(module))
        stack.callback(_keep_random_state())
        if module.training != (mode == "train") or mode == "eval":
            module.train(mode == "train")
        if seed is not None:
            _seed_everything(seed)
        yield module


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    torch.default_generator.manual_seed(seed)
    if _gpus_in_use():
        torch.cuda.manual_seed_all(seed)
    numpy: Any = sys.modules.get("numpy")
    if numpy:
        numpy.random.seed(seed % 2**32)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[nn.Module]:
    """The module in evaluation mode; afterwards, also after an error, each of its modules is in its own again."""
    put_back = _keep_modes(module)
    try:
        yield module.eval()
    finally:
        put_back()


def _keep_modes(module: nn.Module) -> Callable[[], None]:
    modes = [(part, part.training) for part in module.modules()]

    def put_back() -> None:
        for part, training in modes:
            part.training = training

    return put_back


def _keep_parameters(module: nn.Module) -> Callable[[], None]:
    kept = [(parameter, parameter.requires_grad, parameter.grad) for parameter in module.parameters()]
    for parameter, _, _ in kept:
        parameter.requires_grad_(False)
        parameter.grad = None

    def put_back() -> None:
        for parameter, required, gradient in kept:
            parameter.requires_grad_(required)
            parameter.grad = gradient

    return put_back


def _keep_buffers(module: nn.Module) -> Callable[[], None]:
    kept = [
        (part, name, buffer, buffer.detach().clone())
        for part in module.modules()
        for name, buffer in part._buffers.items()
        if buffer is not None
    ]

    def put_back() -> None:
        for part, name, buffer, content in kept:
            part._buffers[name] = buffer
            buffer.data.copy_(content)  # not a new version: a graph that holds the buffer stays valid

    return put_back


def _gpus_in_use() -> bool:
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def _keep_random_state() -> Callable[[], None]:
    """Python's, numpy's if anybody imported it, and torch's on the CPU and on every GPU in use."""
    python, on_cpu = random.getstate(), torch.get_rng_state()
    numpy: Any = sys.modules.get("numpy")
    in_numpy = numpy.random.get_state() if numpy else None
    on_gpus: list[Tensor] = torch.cuda.get_rng_state_all() if _gpus_in_use() else []

    def put_back() -> None:
        random.setstate(python)
        torch.set_rng_state(on_cpu)
        if numpy:
            numpy.random.set_state(in_numpy)
        if on_gpus:
            torch.cuda.set_rng_state_all(on_gpus)

    return put_back
