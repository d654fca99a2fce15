"""One model under probes: what several checks want to know of it is computed once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.errors import UnusableModel
from advorch.kit.attack.objectives import Objective, cross_entropy, log_odds
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.verdict import judged_logits
from advorch.kit.attack.victim import Finish, Victim
from advorch.kit.box import ends_of
from advorch.kit.data import Data
from advorch_builtins.evaluations.catalog_sanity import SanityParams

RANDOM_FROM = 1e-4  # relative difference of two forward passes that rounding does not explain


class Attempt(NamedTuple):
    """Where an attempt ended: the point of each sample that was right, whether it fools, and by which log-odds."""

    z: Tensor
    fooled: Tensor
    odds: Tensor


@dataclass
class Probe:
    """A model and the probed samples of one batch; `reference` is a sample that all batches share, `first` all ids.

    What is said of the model itself is found on the reference, so that it does not depend on how samples are cut.
    """

    module: nn.Module
    data: Data
    reference: Tensor
    first: Tensor
    params: SanityParams
    known: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def logits(self) -> Tensor:
        """On clean samples."""
        return judged_logits(self.module, self.data.x)

    @cached_property
    def right(self) -> Tensor:
        """Positions of the samples that are right from the start: nobody else is attacked."""
        return self.logits.argmax(1).eq(self.data.y).nonzero().squeeze(1)

    @cached_property
    def attacked(self) -> Data:
        """Those samples."""
        return self.data.take(self.right)

    @cached_property
    def differentiable(self) -> bool:
        """Whether anything comes back from the output to the input."""
        label = torch.zeros(len(self.reference), dtype=torch.int64, device=self.reference.device)
        try:
            self.victim().value_and_gradient(self.reference, label)
        except UnusableModel:
            return False
        return True

    @cached_property
    def random(self) -> bool:
        """Whether forward passes of one sample differ by more than rounding."""
        first, *others = (judged_logits(self.module, self.reference) for _ in range(5))
        return max(float(relative(first, other).max()) for other in others) > RANDOM_FROM

    def victim(self, radius: float | None = None, finish: Finish = Finish.FOOLED) -> Victim:
        """The model, all open, within epsilon or a radius of the check's own."""
        epsilon = self.params.epsilon if radius is None else radius
        return Victim(self.module, box=self.data.box, norm=self.params.norm, epsilon=epsilon, finish=finish)

    def ball(self, x: Tensor, radius: float | None = None) -> ThreatSet:
        """The points that are allowed around samples."""
        return self.victim(radius).ball(x)

    def draws(self, purpose: str, ids: Tensor | None = None) -> Draws:
        """Random numbers by sample."""
        return Draws(self.params.seed, self.attacked.ids if ids is None else ids).fork(purpose)

    def whole(self) -> float | None:
        """The radius from which the ball holds the box; there is none without a box."""
        if self.data.box is None:
            return None
        sample = tuple(self.data.x.shape[1:])
        low, high = ends_of(self.data.box, sample, self.data.x)
        corners = self.data.x.new_zeros(1, *sample) + torch.stack([low.expand(sample), high.expand(sample)])
        return float(ThreatSet.around(corners[:1], self.params.norm, torch.inf).distance(corners[1:]))

    def attempt(self, name: str, run: "Callable[[Probe], Tensor | None]") -> Attempt | None:
        """What an attempt came to, made once; None where it cannot be made."""
        if name not in self.known:
            z = run(self) if len(self.right) else self.attacked.x
            self.known[name] = None if z is None else self.judge(z)
        found: Attempt | None = self.known[name]
        return found

    def judge(self, z: Tensor) -> Attempt:
        """Points for all samples that were right, looked at afresh."""
        if not len(z):
            return Attempt(z, z.new_zeros(0).bool(), z.new_zeros(0))
        logits = judged_logits(self.module, z)
        return Attempt(z, logits.argmax(1).ne(self.attacked.y), log_odds(logits.float(), self.attacked.y))

    def gradient(self, z: Tensor, y: Tensor, objective: Objective = cross_entropy) -> Tensor:
        """At points, whatever the budget."""
        return self.victim().gradient(z, y, objective)

    def spread(self, values: Tensor) -> Tensor:
        """Values of the attacked samples at their places among the probed ones, NaN elsewhere."""
        column = torch.full((len(self.data),), torch.nan, dtype=torch.float64)
        column[self.right.cpu()] = values.detach().double().cpu()
        return column

    def constant(self, value: bool | float) -> Tensor:
        """Something that is true of the model: every sample repeats it."""
        return torch.full((len(self.data),), float(value), dtype=torch.float64)


def relative(first: Tensor, second: Tensor) -> Tensor:
    """How far apart two rows of logits are, against their size."""
    size = torch.maximum(first.abs().amax(1), second.abs().amax(1)).clamp(min=1e-12)
    return (first - second).abs().amax(1) / size
