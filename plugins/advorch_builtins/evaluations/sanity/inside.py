"""What happens inside one forward pass: operations without a derivative, and calls of autograd."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

HARD: Final = ("rounding", "a sign", "an argmax", "a comparison", "a cast to integers")
_NAMES: Final = {
    "round": "rounding", "floor": "rounding", "ceil": "rounding", "trunc": "rounding", "fix": "rounding",
    "sign": "a sign", "sgn": "a sign", "argmax": "an argmax", "argmin": "an argmax", "heaviside": "a comparison",
}  # fmt: skip
_CASTS: Final = frozenset({"to", "type", "type_as", "int", "long", "short", "byte", "char", "float", "double", "half"})


@dataclass
class Inside:
    """What was seen."""

    hard: set[str] = field(default_factory=set)
    differentiates: bool = False


class _Watch(TorchFunctionMode):
    """Names the operations on floating-point numbers whose derivative is zero or none."""

    def __init__(self, seen: Inside) -> None:
        super().__init__()
        self._seen = seen

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "").rstrip("_")
        result = func(*args, **(kwargs or {}))
        if args and isinstance(args[0], Tensor):
            if name in _NAMES and args[0].is_floating_point():
                self._seen.hard.add(_NAMES[name])
            if name in _CASTS and isinstance(result, Tensor):
                self._note_cast(args[0], result)
        return result

    def _note_cast(self, before: Tensor, after: Tensor) -> None:
        if before.is_floating_point() and not after.is_floating_point():
            self._seen.hard.add("a cast to integers")
        if before.dtype == torch.bool and after.is_floating_point():
            self._seen.hard.add("a comparison")


def look_inside(module: nn.Module, x: Tensor) -> Inside:
    """One forward pass, watched; autograd is on, as it is for an attacker."""
    seen = Inside()
    point = x.detach().clone().requires_grad_()
    with torch.enable_grad(), _noticing(seen), _Watch(seen):
        module(point)
    return seen


@contextmanager
def _noticing(seen: Inside) -> Iterator[None]:
    """Every way to ask autograd for a gradient passes here; only what the model does is in between."""

    def noted(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            seen.differentiates = True
            return original(*args, **kwargs)

        return call

    with (
        patch.object(torch.autograd, "grad", noted(torch.autograd.grad)),
        patch.object(torch.autograd, "backward", noted(torch.autograd.backward)),
    ):
        yield
