"""Perturbing what a hidden layer says instead of the input.

Goodfellow, Shlens and Szegedy, ICLR 2015: of use for layers that saturate, hardly for units without a bound, which grow
until epsilon is nothing to them; not for the last hidden layer either, since what follows it is linear and can learn no
resistance; and never for the output, where any model is fooled by moving its logits. What comes out is no input: it
trains and measures models, and is nobody's adversarial example.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from advorch.kit.attack.errors import unusable_model
from advorch.kit.attack.objectives import Objective, cross_entropy
from advorch.kit.attack.rows import per_sample

_BENDING = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus,
    nn.Tanh, nn.Sigmoid, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid,
)  # fmt: skip


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


def activations(module: nn.Module, x: Tensor) -> list[str]:
    """The names of the layers that bend, called once a forward pass: hidden layers are what comes out of these."""
    bending = {name: part for name, part in module.named_modules() if name and isinstance(part, _BENDING)}
    said: dict[str, list[Tensor]] = {name: [] for name in bending}
    hooks = [part.register_forward_hook(partial(_note, said[name])) for name, part in bending.items()]
    try:
        with torch.no_grad():
            logits = module(x)
    finally:
        for hook in hooks:
            hook.remove()
    return [name for name, outputs in said.items() if len(outputs) == 1 and not _same(outputs[0], logits)]


def _note(said: list[Tensor], part: nn.Module, args: Any, output: Tensor) -> None:
    said.append(output.detach())


def _same(output: Tensor, logits: Tensor) -> bool:
    return output.shape == logits.shape and torch.equal(output, logits)


def strength(module: nn.Module, layer: str, x: Tensor) -> Tensor:
    """The root mean square of what the layer says of each sample, in whose units epsilon can be compared."""
    with torch.no_grad():
        said, _ = _activation(module, layer, x)
    return said.detach().flatten(1).double().square().mean(1).sqrt()


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
    if _same(caught[0], logits):
        hint = "whoever moves the logits fools any model, and no weight comes after them that could answer it"
        raise unusable_model(f"layer {layer!r} is the output of the model", hint)
    return caught[0], logits
