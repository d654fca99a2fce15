"""What anybody would write by hand for each recipe: the same passes and the same arithmetic, and nothing else."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

Loop = Callable[[nn.Module, Optimizer, Tensor, Tensor], None]

EPSILON, STEPS, BETA, RHO, LAMBDA = 0.3, 10, 6.0, 0.05, 0.1
ALPHA = EPSILON / 4


def erm(model: nn.Module, optimizer: Optimizer, x: Tensor, y: Tensor) -> None:
    """A forward pass and a backward one."""
    _learn(optimizer, functional.cross_entropy(model(x), y))


def pgd(model: nn.Module, optimizer: Optimizer, x: Tensor, y: Tensor) -> None:
    """The gradient of the samples alone, and then the weights'."""
    model.requires_grad_(False)
    z = _climb(lambda z: functional.cross_entropy(model(z), y, reduction="sum"), x, _start(x), STEPS, ALPHA)
    model.requires_grad_(True)
    _learn(optimizer, functional.cross_entropy(model(z), y))


def pgd_by_backward(model: nn.Module, optimizer: Optimizer, x: Tensor, y: Tensor) -> None:
    """As published code has it: `backward` on the perturbation, and so the gradient of every weight at every step."""
    delta = (_start(x) - x).requires_grad_()
    for _ in range(STEPS):
        functional.cross_entropy(model(x + delta), y).backward()  # type: ignore[no-untyped-call]
        assert delta.grad is not None
        delta.data = (x + (delta.data + ALPHA * delta.grad.sign()).clamp(-EPSILON, EPSILON)).clamp(0, 1) - x
        delta.grad.zero_()
    optimizer.zero_grad()
    _learn(optimizer, functional.cross_entropy(model(x + delta.detach()), y))


def fast(model: nn.Module, optimizer: Optimizer, x: Tensor, y: Tensor) -> None:
    """One step of 1.25 epsilon from a random start."""
    model.requires_grad_(False)
    z = _climb(lambda z: functional.cross_entropy(model(z), y, reduction="sum"), x, _start(x), 1, 1.25 * EPSILON)
    model.requires_grad_(True)
    _learn(optimizer, functional.cross_entropy(model(z), y))


def trades(model: nn.Module, optimizer: Optimizer, x: Tensor, y: Tensor) -> None:
    """The divergence is climbed from beside the samples; the clean prediction is asked for once."""
    model.requires_grad_(False)
    with torch.no_grad():
        clean = model(x).log_softmax(1)
    start = (x + 0.001 * torch.randn_like(x)).clamp(0, 1)
    z = _climb(lambda z: _kl(clean, model(z).log_softmax(1)), x, start, STEPS, ALPHA)
    model.requires_grad_(True)
    logits, near = model(x), model(z)
    apart = _kl(logits.log_softmax(1), near.log_softmax(1)) / len(x)
    _learn(optimizer, functional.cross_entropy(logits, y) + BETA * apart)


def sam(model: nn.Module, optimizer: Optimizer, x: Tensor, y: Tensor) -> None:
    """Two forward and two backward passes."""
    optimizer.zero_grad()
    functional.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        slopes = [weight.grad for weight in model.parameters() if weight.grad is not None]
        length = torch.stack([slope.norm() for slope in slopes]).norm()
        before = [weight.clone() for weight in model.parameters()]
        for weight, slope in zip(model.parameters(), slopes, strict=True):
            weight.add_(slope, alpha=float(RHO / length))
    optimizer.zero_grad()
    functional.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for weight, old in zip(model.parameters(), before, strict=True):
            weight.copy_(old)
    optimizer.step()


def gradient_penalty(model: nn.Module, optimizer: Optimizer, x: Tensor, y: Tensor) -> None:
    """A second forward pass, whose input gradient is differentiated again."""
    z = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(functional.cross_entropy(model(z), y, reduction="sum"), z, create_graph=True)
    penalty = slope.flatten(1).square().sum(1).mean()
    _learn(optimizer, functional.cross_entropy(model(x), y) + LAMBDA * penalty)


LOOPS: dict[str, Loop] = {
    "erm": erm,
    "pgd": pgd,
    "fast": fast,
    "trades": trades,
    "sam": sam,
    "gradient-penalty": gradient_penalty,
}


def _start(x: Tensor) -> Tensor:
    return (x + torch.empty_like(x).uniform_(-EPSILON, EPSILON)).clamp(0, 1)


def _climb(loss: Callable[[Tensor], Tensor], x: Tensor, z: Tensor, steps: int, alpha: float) -> Tensor:
    lower, upper = (x - EPSILON).clamp(min=0), (x + EPSILON).clamp(max=1)
    for _ in range(steps):
        z = z.detach().requires_grad_()
        (slope,) = torch.autograd.grad(loss(z), z)
        z = (z.detach() + alpha * slope.sign()).clamp(lower, upper)
    return z


def _kl(clean: Tensor, other: Tensor) -> Tensor:
    return functional.kl_div(other, clean, reduction="sum", log_target=True)


def _learn(optimizer: Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
