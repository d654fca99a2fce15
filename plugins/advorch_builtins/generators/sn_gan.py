"""Miyato et al. 2018, Spectral Normalization for GANs, arXiv:1802.05957: Frechet distance 21.7 on CIFAR-10 (ResNet).

Here: all 8 modes of the ring, and every layer's largest singular value within 2 % of 1.
"""

from torch import Tensor

from advorch.api import Signature
from advorch.kit.adversary.game import Game, Turn
from advorch.kit.adversary.losses import hinge_loss, wanting_loss
from advorch.kit.adversary.pair import duel
from advorch_builtins.generators.catalog import SnGanParams
from advorch_builtins.generators.networks import in_turn, players, terms


def sn_gan(params: SnGanParams, signature: Signature) -> Game:
    """The hinge, with as many power iterations as asked for at every forward pass of training."""
    pair = players(params, signature, norm="none", conditioning=params.conditioning, spectral=params.power_iterations)

    def criticise(turn: Turn) -> Tensor:
        real = pair.real(turn)
        loss = hinge_loss(pair.scores(real, turn), pair.scores(pair.fakes(turn), turn))
        return loss + pair.misread(real, turn)

    def generate(turn: Turn) -> Tensor:
        fakes = pair.imitations(turn)
        return wanting_loss(pair.scores(fakes, turn)) + pair.misread(fakes, turn)

    return duel(pair, terms(params, in_turn(params.k)), criticise=criticise, generate=generate)
