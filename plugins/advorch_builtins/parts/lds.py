"""The local distributional smoothness over the epochs of any training: Miyato et al., ICLR 2016 (arXiv:1507.00677,
figure 3), who measure it by five power iterations. LDS = -KL(p(x) || p(x + r)): zero is as smooth as can be."""

import torch
from torch import Tensor

from advorch.kit.attack.traceless import evaluating
from advorch.kit.training.divergence import kl
from advorch.kit.training.parts import Parts, Site
from advorch.kit.training.smoothness import Search, virtual_perturbation
from advorch.kit.training.step import Step
from advorch_builtins.parts.catalog_smoothness import LdsParams


def lds(site: Site, params: LdsParams) -> Parts:
    """A term of the loss that is always zero."""
    return Parts(penalties=(Lds(params),))


class Lds:
    """Looks at the first batch of each epoch, in evaluation mode, before the model learns from it."""

    def __init__(self, params: LdsParams) -> None:
        self._search = Search(epsilon=params.epsilon, xi=params.xi, iterations=params.power_iterations)
        self._epoch = 0

    def __call__(self, step: Step, /) -> Tensor:
        """Nothing to add to the loss."""
        if step.epoch != self._epoch:
            self._epoch = step.epoch
            step.log("lds", smoothness(step, self._search))
        return step.x.new_zeros(())


def smoothness(step: Step, search: Search) -> Tensor:
    """The mean over the batch; nothing of the model changes."""
    with evaluating(step.model):
        moved = step.x + virtual_perturbation(step.model, step.x, step.draws("lds"), search)
        with torch.no_grad():
            return -kl(step.model(step.x), step.model(moved)).mean()
