"""How fast a network can change: a bound by the product of its layers' operator norms, and slopes that were seen.

A convolution counts as the operator that it is on its input's size. Its kernel laid flat may be off by as much as the
root of the kernel's area (arXiv:1802.05957 uses that norm all the same).
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

# each with slopes of at most the number beside it
_BENT: dict[type[nn.Module], float] = {
    nn.ReLU: 1.0, nn.Tanh: 1.0, nn.Sigmoid: 0.25, nn.Softplus: 1.0, nn.ELU: 1.0, nn.CELU: 1.0, nn.GELU: 1.13,
    nn.Identity: 1.0, nn.Flatten: 1.0, nn.Unflatten: 1.0, nn.Dropout: 1.0,
}  # fmt: skip
_DENSE = 512  # a matrix with a side this small is written out


class Unbounded(ValueError):
    """A layer of which nothing is known."""


@torch.no_grad()
def bound(module: nn.Module, shape: tuple[int, ...]) -> float:
    """A Lipschitz constant in l2 of a chain of layers in evaluation mode, on inputs of that shape.

    `Unbounded` where a layer is no chain of others and none that is known.
    """
    return math.prod(norm for _, norm in by_layer(module, shape))


@torch.no_grad()
def by_layer(module: nn.Module, shape: tuple[int, ...]) -> list[tuple[str, float]]:
    """Each layer's name and constant, in order."""
    x = torch.zeros(1, *shape, device=_device(module))
    found: list[tuple[str, float]] = []
    for name, layer in _chain("", module):
        found.append((name, _constant(layer, x)))
        x = layer(x)
    return found


def _chain(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(module, nn.Sequential):
        for inner, layer in module.named_children():
            yield from _chain(f"{name}.{inner}".lstrip("."), layer)
    else:
        yield name or type(module).__name__, module


def _constant(layer: nn.Module, x: Tensor) -> float:
    if isinstance(layer, nn.LeakyReLU):
        return max(1.0, abs(float(layer.negative_slope)))
    if isinstance(layer, nn.MaxPool2d):
        return _overlap(layer)
    if type(layer) in _BENT:
        return _BENT[type(layer)]
    if isinstance(layer, nn.Linear):
        return float(torch.linalg.matrix_norm(layer.weight.double(), 2))
    if isinstance(layer, _ConvNd | _BatchNorm | nn.AvgPool2d) or _is_affine(layer):
        return operator_norm(layer, x)
    raise Unbounded(f"nothing is known of the slope of {type(layer).__name__}")


def _is_affine(layer: nn.Module) -> bool:
    """Such as the scaling of inputs: it has a mean and a deviation and nothing else."""
    return {name for name, _ in layer.named_buffers()} == {"mean", "std"} and not list(layer.parameters())


def _overlap(layer: nn.MaxPool2d) -> float:
    """An input that is the largest of m windows counts m times."""
    kernel, stride = _both(layer.kernel_size), _both(layer.stride)
    return math.sqrt(math.prod(math.ceil(size / step) for size, step in zip(kernel, stride, strict=True)))


def _both(size: int | tuple[int, ...]) -> tuple[int, ...]:
    return (size, size) if isinstance(size, int) else tuple(size)


def operator_norm(layer: nn.Module, x: Tensor) -> float:
    """The largest singular value of an affine layer at inputs like `x`, which has one row."""
    from scipy.sparse.linalg import LinearOperator, svds  # type: ignore[import-untyped]

    shape = tuple(x.shape)
    start = torch.zeros(shape, dtype=torch.float64)
    layer = _doubled(layer)
    with torch.no_grad():
        nothing = layer(start)

    def forth(vector: object) -> object:
        with torch.no_grad():
            return (layer(torch.as_tensor(vector).reshape(shape)) - nothing).flatten().numpy()

    def back(vector: object) -> object:
        with torch.enable_grad():
            point = start.clone().requires_grad_()
            (slope,) = torch.autograd.grad(layer(point), point, torch.as_tensor(vector).reshape(nothing.shape))
        return slope.flatten().numpy()

    if min(start.numel(), nothing.numel()) <= _DENSE:
        return _dense_norm(forth, back, start.numel(), nothing.numel())
    operator = LinearOperator((nothing.numel(), start.numel()), matvec=forth, rmatvec=back, dtype="float64")
    return float(svds(operator, k=1, return_singular_vectors=False, random_state=0)[0])


def _dense_norm(forth: object, back: object, inputs: int, outputs: int) -> float:
    apply = forth if inputs <= outputs else back
    rows = [torch.as_tensor(apply(unit.numpy())) for unit in torch.eye(min(inputs, outputs), dtype=torch.float64)]  # type: ignore[operator]
    return float(torch.linalg.matrix_norm(torch.stack(rows), 2))


def _doubled(layer: nn.Module) -> nn.Module:
    import copy

    return copy.deepcopy(layer).cpu().double().eval()


def _device(module: nn.Module) -> torch.device:
    held = next(iter([*module.parameters(), *module.buffers()]), None)
    return torch.device("cpu") if held is None else held.device


def slopes(module: nn.Module, x: Tensor) -> Tensor:
    """The norm of the Jacobian at each sample: what a small step along its steepest direction brings, in l2."""
    point = x.detach().clone().requires_grad_()
    outputs = module(point)
    outputs = outputs.flatten(1)
    rows = [
        torch.autograd.grad(outputs[:, place].sum(), point, retain_graph=True)[0].flatten(1)
        for place in range(outputs.shape[1])
    ]
    norms: Tensor = torch.linalg.matrix_norm(torch.stack(rows, 1), 2)
    return norms
