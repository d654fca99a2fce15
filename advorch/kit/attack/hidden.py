"""Perturbing what a hidden layer says instead of the input.

Goodfellow, Shlens and Szegedy, ICLR 2015: of use for layers that saturate, hardly for linear units; and never for the
last layer, where any model is fooled by moving its logits. What comes out is no input: it trains and measures models,
and is nobody's adversarial example.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from advorch.kit.attack.errors import unusable_model
from advorch.kit.attack.objectives import Objective, cross_entropy
from advorch.kit.attack.rows import per_sample


@contextmanager
def shifted(module: nn.Module, layer: str, shift: Tensor) -> Iterator[None]:
    """Within it the layer, called once a forward pass, says so much more."""

    def add(part: nn.Module, args: Any, output: Tensor) -> Tensor:
        return output + shift

    hook = hidden_layer(module, layer).register_forward_hook(add)
    try:
        yield
    finally:
        hook.remove()


def worst_shift(
    module: nn.Module, layer: str, x: Tensor, y: Tensor, epsilon: float | Tensor, objective: Objective = cross_entropy
) -> Tensor:
    """The corner of the linf ball around the layer's activation that the gradient points to; parameters are left alone.

    Call it inside `untouched`, like an attack.
    """
    with torch.enable_grad():
        activation, logits = _activation(module, layer, x)
        (gradient,) = torch.autograd.grad(objective(logits, y).sum(), activation)
    radius = epsilon if isinstance(epsilon, Tensor) else gradient.new_full((1,), epsilon)
    return gradient.sign() * per_sample(radius.to(gradient), gradient)


def hidden_layer(module: nn.Module, layer: str) -> nn.Module:
    """The part of that name, or an error that lists the names."""
    parts: dict[str, nn.Module] = dict(module.named_modules())
    if not layer or layer not in parts:
        names = ", ".join(name for name in parts if name)
        raise unusable_model(f"the model has no layer {layer!r}", f"its layers: {names}")
    return parts[layer]


def _activation(module: nn.Module, layer: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """What the layer says, as a leaf of the graph, and the logits that follow from it."""
    caught: list[Tensor] = []

    def cut(part: nn.Module, args: Any, output: Tensor) -> Tensor:
        caught.append(output.detach().requires_grad_())
        return caught[-1]

    hook = hidden_layer(module, layer).register_forward_hook(cut)
    try:
        logits = module(x)
    finally:
        hook.remove()
    if len(caught) != 1:
        raise unusable_model(f"layer {layer!r} is called {len(caught)} times in one forward pass, not once")
    if logits.shape == caught[0].shape and torch.equal(logits, caught[0]):
        hint = "whoever moves the logits fools any model: name a layer before the last"
        raise unusable_model(f"layer {layer!r} is the output of the model", hint)
    return caught[0], logits
