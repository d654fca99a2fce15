"""ELLE, efficient local linearity regularisation: Abad Rocamora, Liu, Chrysos, Olmos and Cevher, ICLR 2024
(arXiv:2401.11618); it keeps single-step training on CIFAR-10 from catastrophic overfitting beyond 16/255, at lambda
4,000 (adaptive) to 10,000.

lambda (L(x_c) - (1 - t) L(x_a) - t L(x_b))^2, x_a and x_b anywhere in the ball, x_c = (1 - t) x_a + t x_b. No gradient
is differentiated twice. Adaptive, lambda is 0 until the error exceeds its mean by so many deviations.
"""

import torch
from torch import Tensor
from torch.nn import functional

from advorch.api import Norm
from advorch.kit.attack.rows import per_sample
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.training.parts import Parts, Site
from advorch.kit.training.ranks import Ranks
from advorch.kit.training.statistics import frozen_statistics
from advorch.kit.training.step import Step
from advorch_builtins.parts.params import ElleParams


def elle(site: Site, params: ElleParams) -> Parts:
    """The penalty alone."""
    return Parts(penalties=(Elle(params, site.ranks),))


class Elle:
    """The error of a batch as a weighted penalty; remembers its course, and how much it weighs now."""

    def __init__(self, params: ElleParams, ranks: Ranks) -> None:
        self._params = params
        self._ranks = ranks
        self._weight = 0.0 if params.adaptive else params.lambda_
        self._count, self._mean, self._square = 0, 0.0, 0.0

    def __call__(self, step: Step, /) -> Tensor:
        """lambda times the mean squared error; logs the error and lambda."""
        error = nonlinearity(step, self._params.epsilon * step.strength.epsilon)
        if self._params.adaptive and step.fresh:
            self._adapt(self._over_ranks(error.detach(), step))
        step.log("nonlinearity", error)
        step.log("elle_lambda", self._weight)
        return self._weight * error

    def _over_ranks(self, error: Tensor, step: Step) -> float:
        """Of the whole batch: each rank's part counts by its samples, so that all have the same lambda."""
        return float(self._ranks.total(error.double() * step.weight)) / self._ranks.size

    def _adapt(self, error: float) -> None:
        """The whole lambda when the error leaps, and less with every step in which it does not (algorithm 1)."""
        deviation = max(0.0, self._square - self._mean**2) ** 0.5
        leaps = self._count > 0 and error > self._mean + self._params.deviations * deviation
        self._weight = self._params.lambda_ if leaps else self._weight * self._params.decay
        self._count += 1
        self._mean += (error - self._mean) / self._count
        self._square += (error**2 - self._square) / self._count

    def state(self) -> dict[str, Tensor]:
        """The course of the error, and lambda."""
        values = [self._weight, float(self._count), self._mean, self._square]
        return {"course": torch.tensor(values, dtype=torch.float64)}

    def restore(self, state: dict[str, Tensor], /) -> None:
        """Go on from there."""
        self._weight, count, self._mean, self._square = state["course"].tolist()
        self._count = int(count)


def nonlinearity(step: Step, epsilon: float) -> Tensor:
    """The mean over samples of the squared error of a straight line; all three points go through the model together."""
    ball = ThreatSet.around(step.x, Norm.LINF, epsilon, box=step.box)
    rng = step.draws("elle")
    first, second = ball.random(rng.fork("first")), ball.random(rng.fork("second"))
    t = rng.fork("between").uniform((), like=step.x)
    between = torch.lerp(first, second, per_sample(t, first))
    with frozen_statistics(step.model):
        logits = step.model(torch.cat([first, second, between]))
    losses = functional.cross_entropy(logits, step.y.repeat(3), reduction="none")
    one, other, middle = losses.chunk(3)
    return (middle - torch.lerp(one, other, t)).square().mean()
