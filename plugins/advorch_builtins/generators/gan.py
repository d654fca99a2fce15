"""Goodfellow et al. 2014, Generative Adversarial Nets, arXiv:1406.2661: value -log 4 where the players are equal.

With `lambda`, the R1 penalty of Mescheder et al. 2018, arXiv:1801.04406: all 8 modes of the ring, half of the samples
within three deviations of one. Told of classes it is Mirza and Osindero 2014, arXiv:1411.1784: a classifier agrees with
85 % of the labels that digits were asked for.
"""

from torch import Tensor

from advorch.api import Signature
from advorch.kit.adversary.game import Game, Turn
from advorch.kit.adversary.losses import critic_loss, non_saturating_loss, saturating_loss
from advorch.kit.adversary.pair import duel
from advorch.kit.adversary.penalties import r1_penalty
from advorch_builtins.generators.catalog import GanParams
from advorch_builtins.generators.networks import in_turn, players, terms


def gan(params: GanParams, signature: Signature) -> Game:
    """A generator and a critic for samples of any shape; samples keep to the data's box."""
    pair = players(params, signature, conditioning=params.conditioning)
    wished = {"saturating": saturating_loss, "non-saturating": non_saturating_loss}[params.objective]

    def criticise(turn: Turn) -> Tensor:
        real = pair.real(turn).detach().requires_grad_(params.lambda_ > 0)
        scores = pair.scores(real, turn)
        loss = critic_loss(scores, pair.scores(pair.fakes(turn), turn))
        if params.lambda_:
            loss = loss + params.lambda_ / 2 * r1_penalty(scores, real).mean()
        return loss + pair.misread(real, turn)

    def generate(turn: Turn) -> Tensor:
        fakes = pair.imitations(turn)
        return wished(pair.scores(fakes, turn)) + pair.misread(fakes, turn)

    return duel(pair, terms(params, in_turn(params.k)), criticise=criticise, generate=generate)
