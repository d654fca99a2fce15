"""What a trained opponent can tell of two sets of samples; trained on one half of them, judged on the other.

The best discriminator of p and q is D = p / (p + q), and the value of its game is 2 JSD(p, q) - log 4 (Goodfellow et
al. 2014): a trained one gives a lower bound. A critic whose slope is at most L gives E f(p) - E f(q) <= L W1(p, q), for
the very samples that it is judged on too.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.nn.utils import parametrizations

from advorch.kit.repeatable import same_draws
from advorch.seeds import derive

LOG4 = math.log(4)
_SLOPE = 0.2  # of LeakyReLU


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How an opponent learns."""

    hidden: tuple[int, ...] = (64, 64)
    steps: int = 1200
    batch: int = 512
    lr: float = 2e-3
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sets of flat samples, and their halves."""

    first: Tensor
    second: Tensor

    @classmethod
    def of(cls, first: Tensor, second: Tensor) -> "Pair":
        """Flat, in single precision, in main memory."""
        flat = [x.detach().to("cpu", torch.float32).flatten(1) for x in (first, second)]
        return cls(*flat)

    def halves(self, seed: int) -> "tuple[Pair, Pair]":
        """To train on, and to judge on."""
        rng = torch.Generator().manual_seed(seed)
        parts = []
        for x in (self.first, self.second):
            order = torch.randperm(len(x), generator=rng)
            parts.append((x[order[: len(x) // 2]], x[order[len(x) // 2 :]]))
        (one, other), (one_, other_) = parts
        return Pair(one, one_), Pair(other, other_)

    def batch(self, size: int, rng: torch.Generator) -> "Pair":
        """Draws with replacement from either."""
        chosen = [torch.randint(len(x), (size,), generator=rng) for x in (self.first, self.second)]
        return Pair(self.first[chosen[0]], self.second[chosen[1]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrimination:
    """The value of the game on unseen samples, with its standard error, and the divergence that it stands for."""

    network: nn.Module
    value: float
    error: float

    @property
    def divergence(self) -> float:
        """Jensen and Shannon's, in nats, between 0 and log 2."""
        return min(max(0.0, (self.value + LOG4) / 2), math.log(2))


def discriminate(first: Tensor, second: Tensor, training: Training) -> Discrimination:
    """Train D on halves, judge it on the others; the first set is what D calls real."""
    seen, unseen = Pair.of(first, second).halves(derive(training.seed, "halves"))
    network = _trained(_perceptron, _discrimination_loss, seen, training)
    with torch.no_grad():
        real, fake = -softplus(-network(unseen.first)), -softplus(network(unseen.second))
    error = (real.var() / len(real) + fake.var() / len(fake)).sqrt()
    return Discrimination(network=network, value=float(real.mean() + fake.mean()), error=float(error))


def _discrimination_loss(network: nn.Module, pair: Pair) -> Tensor:
    return softplus(-network(pair.first)).mean() + softplus(network(pair.second)).mean()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """E f(first) - E f(second) on the samples that f was trained on and on unseen ones; `bound` bounds its slope."""

    network: nn.Module
    trained: float
    unseen: float
    bound: float
    judged: Pair

    @property
    def least(self) -> float:
        """A lower bound on W1 of the two unseen sets."""
        return self.unseen / self.bound if self.bound else 0.0


def critic_gap(first: Tensor, second: Tensor, training: Training) -> Gap:
    """By a spectrally normalised critic; after its training the bound is exact, from singular values."""
    return _gap(_critic, first, second, training)


def two_layer_gap(first: Tensor, second: Tensor, training: Training) -> Gap:
    """The neural-network distance over f(a) = u sigma(V a) without biases, both operator norms at most 1 (Arora et al.
    2017, arXiv:1703.00573)."""
    return _gap(_two_layers, first, second, training)


def _gap(build: Callable[..., nn.Module], first: Tensor, second: Tensor, training: Training) -> Gap:
    seen, unseen = Pair.of(first, second).halves(derive(training.seed, "halves"))
    network = _trained(build, _gap_loss, seen, training)
    with torch.no_grad():
        values = [float(-_gap_loss(network, pair)) for pair in (seen, unseen)]
    return Gap(network=network, trained=values[0], unseen=values[1], bound=product_of_norms(network), judged=unseen)


def _gap_loss(network: nn.Module, pair: Pair) -> Tensor:
    loss: Tensor = network(pair.second).mean() - network(pair.first).mean()
    return loss


@torch.no_grad()
def product_of_norms(network: nn.Module) -> float:
    """Over the linear layers of a perceptron whose activations have slopes of at most 1."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    return math.prod(float(torch.linalg.matrix_norm(layer.weight.double(), 2)) for layer in layers)


def _trained(
    build: Callable[..., nn.Module], loss_of: Callable[[nn.Module, Pair], Tensor], seen: Pair, training: Training
) -> nn.Module:
    with same_draws(derive(training.seed, "init")):
        network = build(seen.first.shape[1], training.hidden)
    rng = torch.Generator().manual_seed(derive(training.seed, "batches"))
    optimizer = torch.optim.Adam(network.parameters(), lr=training.lr, betas=(0.5, 0.9))
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, training.steps)
    for _ in range(training.steps):
        optimizer.zero_grad()
        loss_of(network, seen.batch(training.batch, rng)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        falling.step()
    return network.eval()


def _perceptron(inputs: int, hidden: tuple[int, ...]) -> nn.Sequential:
    return _layers(inputs, hidden, nn.Linear)


def _critic(inputs: int, hidden: tuple[int, ...]) -> nn.Sequential:
    return _layers(inputs, hidden, _normalised)


def _normalised(inputs: int, outputs: int) -> nn.Module:
    return parametrizations.spectral_norm(nn.Linear(inputs, outputs))


def _layers(inputs: int, hidden: tuple[int, ...], linear: Callable[[int, int], nn.Module]) -> nn.Sequential:
    widths = (inputs, *hidden)
    pairs = zip(widths, hidden, strict=False)
    trunk = [layer for before, after in pairs for layer in (linear(before, after), nn.LeakyReLU(_SLOPE))]
    return nn.Sequential(*trunk, linear(widths[-1], 1), nn.Flatten(0))


def _two_layers(inputs: int, hidden: tuple[int, ...]) -> nn.Sequential:
    capped = functools.partial(nn.Linear, bias=False)
    layers = [_capped(capped(inputs, hidden[0])), nn.ReLU(), _capped(capped(hidden[0], 1)), nn.Flatten(0)]
    return nn.Sequential(*layers)


def _capped(layer: nn.Module) -> nn.Module:
    from torch.nn.utils import parametrize

    parametrize.register_parametrization(layer, "weight", _AtMostOne())
    return layer


class _AtMostOne(nn.Module):
    """A matrix divided by its operator norm where that exceeds 1."""

    def forward(self, weight: Tensor) -> Tensor:
        capped: Tensor = weight / torch.linalg.matrix_norm(weight, 2).clamp(min=1.0)
        return capped
