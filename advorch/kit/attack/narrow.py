"""Convolutions of few channels, whose input gradient is one product of matrices and sums of shifted planes.

A kernel that is made for sixteen channels at a time computes sixteen to give the one of a grey image: at the first
layer of a small net a fifth of a step. The numbers are the same but for the order of the sums; under autocast these
sums are in float32.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

_FEW: Final = 4  # channels up to which it pays


@contextmanager
def few_channels(module: nn.Module) -> Iterator[None]:
    """Its narrow convolutions work so while this lasts, wherever their weights want no gradient."""
    narrow = [part for part in module.modules() if isinstance(part, nn.Conv2d) and _is_narrow(part)]
    try:
        for part in narrow:
            part.__dict__["forward"] = partial(_convolved, part)
        yield
    finally:
        for part in narrow:
            part.__dict__.pop("forward", None)


def _is_narrow(part: nn.Conv2d) -> bool:
    """A plain convolution on the CPU that moves by one pixel; nobody else's forward pass is replaced."""
    if type(part) is not nn.Conv2d or "forward" in part.__dict__ or part.weight.device.type != "cpu":
        return False
    plain = part.groups == 1 and part.padding_mode == "zeros" and isinstance(part.padding, tuple)
    return plain and part.in_channels <= _FEW and part.stride == part.dilation == (1, 1)


def _convolved(part: nn.Conv2d, x: Tensor) -> Tensor:
    wanted = torch.is_grad_enabled() and x.requires_grad and not part.weight.requires_grad
    if not wanted or x.dim() != 4 or x.dtype != torch.float32:
        return nn.Conv2d.forward(part, x)
    out: Tensor = _Convolution.apply(x, part.weight, part.bias, part.padding)  # type: ignore[no-untyped-call]
    return out


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]) -> Tensor:
        return functional.conv2d(x, weight, bias, padding=padding)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, _, ctx.padding = inputs
        ctx.size = x.shape[2:]
        ctx.save_for_backward(weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        with torch.autocast("cpu", enabled=False):
            return _spread(gradients[0].float(), weight.float(), ctx.size, ctx.padding), None, None, None


def _spread(gradient: Tensor, weight: Tensor, size: tuple[int, int], padding: tuple[int, int]) -> Tensor:
    """What every output says of every number of its window, added up by number."""
    (count, _, rows, columns), (_, channels, down, across) = gradient.shape, weight.shape
    outputs = gradient.permute(0, 2, 3, 1).flatten(1, 2)
    told = weight.flatten(1).T.matmul(outputs.transpose(1, 2)).view(count, channels, down, across, rows, columns)
    (top, left), (height, width) = padding, size
    whole = gradient.new_zeros(count, channels, height + 2 * top, width + 2 * left)
    for i in range(down):
        for j in range(across):
            whole[:, :, i : i + rows, j : j + columns] += told[:, :, i, j]
    return whole[:, :, top : top + height, left : left + width]
