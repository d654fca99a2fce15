"""Metz et al. 2016, Unrolled Generative Adversarial Networks, arXiv:1611.02163: all 8 modes of the ring, where the
plain game cycles through one at a time.
"""

import torch
from torch import Tensor, nn
from torch.func import functional_call

from advorch.api import Signature
from advorch.kit.adversary.game import Game, Turn
from advorch.kit.adversary.losses import critic_loss, non_saturating_loss
from advorch.kit.adversary.pair import duel
from advorch_builtins.generators.catalog import UnrolledGanParams
from advorch_builtins.generators.networks import in_turn, players, terms


def unrolled_gan(params: UnrolledGanParams, signature: Signature) -> Game:
    """The generator answers the critic that there will be after some steps, through which it differentiates."""
    pair = players(params, signature, norm="none")

    def criticise(turn: Turn) -> Tensor:
        return critic_loss(pair.scores(pair.real(turn), turn), pair.scores(pair.fakes(turn), turn))

    def generate(turn: Turn) -> Tensor:
        fakes = pair.imitations(turn)
        weights = ahead(pair.critic, pair.real(turn), fakes, steps=params.unrolled, alpha=params.alpha)
        return non_saturating_loss(functional_call(pair.critic, weights, (fakes,)))

    return duel(pair, terms(params, in_turn(params.k)), criticise=criticise, generate=generate)


def ahead(critic: nn.Module, real: Tensor, fake: Tensor, *, steps: int, alpha: float) -> dict[str, Tensor]:
    """The critic's weights after so many gradient steps on one minibatch, as a function of the fakes."""
    weights = {name: value.detach().requires_grad_() for name, value in critic.named_parameters()}
    for _ in range(steps):
        scores = (functional_call(critic, weights, (x,)) for x in (real, fake))
        slopes = torch.autograd.grad(critic_loss(*scores), tuple(weights.values()), create_graph=True)
        moved = zip(weights.items(), slopes, strict=True)
        weights = {name: value - alpha * slope for (name, value), slope in moved}
    return weights
