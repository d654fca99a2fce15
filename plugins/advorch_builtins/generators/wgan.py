"""Arjovsky et al. 2017, Wasserstein GAN, arXiv:1701.07875: a critic with weights in a box.

The paper gives curves alone. Here: every weight within `clip` after every step, and W1 to the ring a quarter of the
untrained generator's.
"""

from functools import partial

from torch import Tensor

from advorch.api import Signature
from advorch.kit.adversary.game import Game, Order, Turn
from advorch.kit.adversary.lipschitz import clip_weights
from advorch.kit.adversary.losses import wanting_loss, wasserstein_loss
from advorch.kit.adversary.pair import duel
from advorch_builtins.generators.catalog import WganParams
from advorch_builtins.generators.networks import in_turn, players, terms


def wgan(params: WganParams, signature: Signature) -> Game:
    """Algorithm 1, with the warm-up of the authors' code."""
    pair = players(params, signature, norm="none")

    def criticise(turn: Turn) -> Tensor:
        return wasserstein_loss(pair.scores(pair.real(turn), turn), pair.scores(pair.fakes(turn), turn))

    def generate(turn: Turn) -> Tensor:
        return wanting_loss(pair.scores(pair.imitations(turn), turn))

    clip = partial(clip_weights, pair.critic, params.clip)
    clip()
    learning = terms(params, partial(_schedule, params), settle=clip)
    return duel(pair, learning, criticise=criticise, generate=generate)


def _schedule(params: WganParams, step: int) -> Order:
    """The critic goes far ahead at the start, and again now and then."""
    if params.warmup is None:
        return in_turn(params.k)
    k, first, every = params.warmup
    return in_turn(k if step < first or (every and step % every == 0) else params.k)
