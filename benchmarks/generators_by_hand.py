"""What anybody would write by hand for each game: the same networks, draws and arithmetic, and nothing else."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import relu, softplus
from torch.optim import Optimizer

CLIP, R1, GP, DRIFT, AHEAD, ALPHA = 0.01, 0.1, 10.0, 1e-3, 5, 0.05

CriticLoss = Callable[["Hand", Tensor], Tensor]
GeneratorLoss = Callable[["Hand", Tensor], Tensor]


@dataclass
class Hand:
    """Two networks and their optimisers, and batches that come one after the other."""

    generator: nn.Module
    critic: nn.Module
    generator_optimizer: Optimizer
    critic_optimizer: Optimizer
    latent: int
    batches: Iterator[Tensor]
    k: int
    ema: float = 0.0
    device: str = "cpu"
    average: dict[str, Tensor] = field(default_factory=dict)

    def made(self, count: int) -> Tensor:
        """New samples."""
        made: Tensor = self.generator(torch.randn(count, self.latent, device=self.device))
        return made

    def step(self, criticise: CriticLoss, generate: GeneratorLoss, settle: Callable[[], None] | None = None) -> None:
        """The critic's steps, then the generator's."""
        self.generator.requires_grad_(False)
        for _ in range(self.k):
            self.critic_optimizer.zero_grad()
            criticise(self, next(self.batches)).backward()  # type: ignore[no-untyped-call]
            self.critic_optimizer.step()
            if settle:
                settle()
        self.generator.requires_grad_(True)
        self.critic.requires_grad_(False)
        self.generator_optimizer.zero_grad()
        generate(self, next(self.batches)).backward()  # type: ignore[no-untyped-call]
        self.generator_optimizer.step()
        self.critic.requires_grad_(True)
        if self.ema:
            self._follow()

    @torch.no_grad()
    def _follow(self) -> None:
        live = dict(self.generator.named_parameters())
        self.average = self.average or {name: value.clone() for name, value in live.items()}
        torch._foreach_lerp_(list(self.average.values()), list(live.values()), 1 - self.ema)


def cross_entropy(hand: Hand, real: Tensor) -> Tensor:
    """Goodfellow's critic."""
    return softplus(-hand.critic(real)).mean() + softplus(hand.critic(hand.made(len(real)).detach())).mean()


def with_r1(hand: Hand, real: Tensor) -> Tensor:
    """And the squared slope at real samples."""
    real = real.detach().requires_grad_()
    scores = hand.critic(real)
    (slope,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
    loss = softplus(-scores).mean() + softplus(hand.critic(hand.made(len(real)).detach())).mean()
    return loss + R1 / 2 * slope.flatten(1).square().sum(1).mean()


def non_saturating(hand: Hand, real: Tensor) -> Tensor:
    """Goodfellow's generator."""
    return softplus(-hand.critic(hand.made(len(real)))).mean()


def wasserstein(hand: Hand, real: Tensor) -> Tensor:
    """Arjovsky's critic."""
    return hand.critic(hand.made(len(real)).detach()).mean() - hand.critic(real).mean()


def with_gp(hand: Hand, real: Tensor, drift: float = 0.0) -> Tensor:
    """Gulrajani's critic; with drift, Karras's."""
    fake = hand.made(len(real)).detach()
    scores = hand.critic(real)
    between = torch.lerp(
        fake, real, torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device)
    ).requires_grad_()
    (slope,) = torch.autograd.grad(hand.critic(between).sum(), between, create_graph=True)
    penalty = ((slope.flatten(1).square().sum(1) + 1e-12).sqrt() - 1).square().mean()
    loss = hand.critic(fake).mean() - scores.mean() + GP * penalty
    return loss + drift * scores.square().mean() if drift else loss


def with_drift(hand: Hand, real: Tensor) -> Tensor:
    """Karras's critic."""
    return with_gp(hand, real, DRIFT)


def hinge(hand: Hand, real: Tensor) -> Tensor:
    """Miyato's critic."""
    return relu(1 - hand.critic(real)).mean() + relu(1 + hand.critic(hand.made(len(real)).detach())).mean()


def wanting(hand: Hand, real: Tensor) -> Tensor:
    """The generator of both."""
    return -hand.critic(hand.made(len(real))).mean()


def looking_ahead(hand: Hand, real: Tensor) -> Tensor:
    """Metz's generator."""
    fake = hand.made(len(real))
    weights = {name: value.detach().requires_grad_() for name, value in hand.critic.named_parameters()}
    for _ in range(AHEAD):
        loss = (
            softplus(-functional_call(hand.critic, weights, (real,))).mean()
            + softplus(functional_call(hand.critic, weights, (fake,))).mean()
        )
        slopes = torch.autograd.grad(loss, tuple(weights.values()), create_graph=True)
        weights = {name: w - ALPHA * slope for (name, w), slope in zip(weights.items(), slopes, strict=True)}
    return softplus(-functional_call(hand.critic, weights, (fake,))).mean()


@torch.no_grad()
def clip(critic: nn.Module) -> None:
    """Arjovsky's box."""
    parameters: list[Tensor] = list(critic.parameters())
    torch._foreach_clamp_min_(parameters, -CLIP)
    torch._foreach_clamp_max_(parameters, CLIP)
