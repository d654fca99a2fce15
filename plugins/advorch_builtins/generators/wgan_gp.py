"""Gulrajani et al. 2017, Improved Training of Wasserstein GANs, arXiv:1704.00028: inception score 7.86 on CIFAR-10.

Here: all 8 modes of the ring, 45 % of samples within three deviations of one, and W1 at most twice the floor.
"""

from functools import partial

from torch import Tensor

from advorch.api import Signature
from advorch.kit.adversary.game import Game, Turn
from advorch.kit.adversary.losses import wanting_loss, wasserstein_loss
from advorch.kit.adversary.pair import duel
from advorch.kit.adversary.penalties import gradient_penalty, refuse_batch_norm
from advorch_builtins.generators.catalog import WganGpParams
from advorch_builtins.generators.networks import in_turn, players, terms


def wgan_gp(params: WganGpParams, signature: Signature) -> Game:
    """Algorithm 1: the penalty and the critic's loss share one backward."""
    pair = players(params, signature, norm=params.norm, conditioning=params.conditioning)
    refuse_batch_norm(pair.critic)

    def criticise(turn: Turn) -> Tensor:
        real, fake = pair.real(turn), pair.fakes(turn)
        loss = wasserstein_loss(pair.scores(real, turn), pair.scores(fake, turn))
        penalty = gradient_penalty(partial(pair.scores, turn=turn), real, fake, turn.draws).mean()
        return loss + params.lambda_ * penalty + pair.misread(real, turn)

    def generate(turn: Turn) -> Tensor:
        fakes = pair.imitations(turn)
        return wanting_loss(pair.scores(fakes, turn)) + pair.misread(fakes, turn)

    return duel(pair, terms(params, in_turn(params.k)), criticise=criticise, generate=generate)
