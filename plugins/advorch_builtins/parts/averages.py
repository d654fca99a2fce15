"""Weights that follow those that are trained. EMA with the warm-up and the decay 0.995 of Wang et al., ICML 2023
(arXiv:2302.04638), whose WRN-28-10 keeps 67.31 % under AutoAttack; SWA: Izmailov et al., UAI 2018 (arXiv:1803.05407).

Running statistics are the trained model's own in EMA; in SWA they are taken anew.
"""

import torch
from torch import Tensor, nn

from advorch.kit.training.parts import Parts, Site
from advorch_builtins.parts.params import EmaParams, SwaParams
from advorch_builtins.parts.recomputed_statistics import recomputing


def ema(site: Site, params: EmaParams) -> Parts:
    """The average alone."""
    return Parts(average=Ema(site.model, params.decay))


def swa(site: Site, params: SwaParams) -> Parts:
    """The average, and statistics that fit it."""
    return Parts(average=Swa(site.model, params), finishing=(recomputing(site),))


class Weights:
    """A second set of weights, and how many updates it has seen."""

    def __init__(self, model: nn.Module) -> None:
        self.weights = [weight.detach().clone() for weight in model.parameters()]
        self.seen = 0

    @torch.no_grad()
    def lend(self, copy: nn.Module, /) -> None:
        """Put the averaged weights into a copy of the model."""
        for weight, mine in zip(copy.parameters(), self.weights, strict=True):
            weight.copy_(mine)

    @torch.no_grad()
    def approach(self, model: nn.Module, share: float) -> None:
        """Move so far towards the model's weights."""
        torch._foreach_lerp_(self.weights, [weight.detach() for weight in model.parameters()], share)

    def state(self) -> dict[str, Tensor]:
        """The weights by their place, and the count."""
        return {"seen": torch.tensor(self.seen)} | {str(place): mine for place, mine in enumerate(self.weights)}

    def restore(self, state: dict[str, Tensor], /) -> None:
        """Go on from there."""
        self.seen = int(state["seen"])
        for place, mine in enumerate(self.weights):
            mine.copy_(state[str(place)])


class Ema(Weights):
    """w' <- d w' + (1 - d) w after every step (a batch, however often it is used), d = min(decay, (1+t) / (10+t))."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model)
        self._decay = decay

    def follow(self, model: nn.Module, progress: float, /) -> None:
        """One more step."""
        self.approach(model, 1 - min(self._decay, (1 + self.seen) / (10 + self.seen)))
        self.seen += 1


class Swa(Weights):
    """The mean of the weights at every so many updates; until the first of them the weights themselves."""

    def __init__(self, model: nn.Module, params: SwaParams) -> None:
        super().__init__(model)
        self._params = params

    def follow(self, model: nn.Module, progress: float, /) -> None:
        """One more step, which may count."""
        if progress < self._params.start:
            self.approach(model, 1.0)
            return
        if self.seen % self._params.every == 0:
            self.approach(model, 1 / (self.seen // self._params.every + 1))
        self.seen += 1
