"""How far a prediction moves when its sample does: the local distributional smoothness (LDS) of Miyato et al.
(2016, arXiv:1507.00677), LDS(x) = -KL(p(x) || p(x + r)) at the r of length epsilon that matters most."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.traceless import Mode, untouched
from advorch.kit.attack.virtual import virtual_direction
from advorch.kit.numbers import check_numbers
from advorch.kit.training.divergence import kl

_ROOM = 4  # xi over the rounding of a number near one, below which a step of xi is no step


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How the perturbation is looked for: its length, the step of the look, and how often; never is at random."""

    epsilon: float
    xi: float = 1e-2
    iterations: int = 1


def virtual_perturbation(
    model: nn.Module, x: Tensor, draws: Draws, search: Search, *, clean: Tensor | None = None
) -> Tensor:
    """r = epsilon d / |d|_2: d drawn evenly over all directions, then d <- grad KL(p(x) || p(x + xi d)) so many times.

    The model stays in its mode and none of it changes; what is random inside it is the same at both points. `clean`
    are its logits at x where they are known; under autocast they are asked for again, since a step of xi is lost in
    bf16.
    """
    check_xi(search.xi, x)
    mode: Mode = "train" if model.training else "eval"

    def logits(z: Tensor) -> Tensor:
        with untouched(model, mode, seed=draws.seed):
            found: Tensor = model(z)
        return found

    def slope(direction: Tensor) -> Tensor:
        point = direction.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(kl(target, logits(x + search.xi * point)).sum(), point)
        return gradient

    start = draws.normal(x.shape[1:], like=x)
    with torch.autocast(x.device.type, enabled=False), torch.enable_grad():
        target = logits(x).detach() if clean is None else clean.detach()
        return search.epsilon * virtual_direction(start, slope, search.iterations)


def clean_logits(model: nn.Module, logits: Tensor) -> Tensor | None:
    """Logits that the model would give again for the same samples, or None: with dropout it gives others, and those
    of bf16 are rounded by more than a small step changes them."""
    rounded = torch.is_autocast_enabled(logits.device.type)
    dropping = any(part.training and isinstance(part, _DropoutNd) for part in model.modules())
    return None if rounded or dropping else logits.detach()


def check_xi(xi: float, x: Tensor) -> None:
    """A step that rounding swallows is refused, and so are words."""
    check_numbers(x, "virtual adversarial training")
    smallest = _ROOM * torch.finfo(x.dtype).eps
    if xi < smallest:
        message = f"xi {xi:g} is lost in the rounding of {str(x.dtype).removeprefix('torch.')}"
        raise StageFailed(
            message, error_class=ErrorClass.USER, hint=f"take at least {smallest:.1g}, or `precision: fp64`"
        )


def entropy(logits: Tensor) -> Tensor:
    """Of each sample's prediction."""
    p = logits.log_softmax(1)
    return -(p.exp() * p).sum(1)
