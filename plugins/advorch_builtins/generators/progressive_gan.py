"""Karras et al. 2018, Progressive Growing of GANs, arXiv:1710.10196: inception score 8.80 on CIFAR-10.

Here: a level of which nothing is faded in shows exactly what stood before it, and digits grown from 4 to 8 pixels have
at most 15 % of noise's Frechet distance.
"""

from dataclasses import replace
from functools import partial

from torch import Tensor

from advorch.api import Signature
from advorch.kit.adversary.game import Game, Turn
from advorch.kit.adversary.losses import wanting_loss, wasserstein_loss
from advorch.kit.adversary.optimizers import adam
from advorch.kit.adversary.pair import Pair, Terms, duel
from advorch.kit.adversary.penalties import gradient_penalty
from advorch_builtins.generators.canvas import canvas_of
from advorch_builtins.generators.catalog_growing import ProgressiveGanParams
from advorch_builtins.generators.growing import GrowingCritic, GrowingGenerator, shrunk
from advorch_builtins.generators.networks import in_turn

_WIDE = 3  # the level of 32 pixels, up to which all are as wide


def progressive_gan(params: ProgressiveGanParams, signature: Signature) -> Game:
    """Wasserstein with gradient penalty and drift; the game falls into equal parts: stand, then fade and stand."""
    canvas = canvas_of(signature)
    widths = tuple(max(1, params.width >> max(0, level - _WIDE)) for level in range(canvas.levels))
    generator = GrowingGenerator(params.latent, widths, signature.shape[0])
    critic = GrowingCritic(widths, signature.shape[0])
    pair = Pair(generator=generator, critic=critic, space=canvas, latent=params.latent)

    def grow(turn: Turn) -> None:
        for player in (generator, critic):
            player.grow(grown(turn.share, canvas.levels) if params.growing else canvas.levels - 1.0)

    def criticise(turn: Turn) -> Tensor:
        grow(turn)
        real, fake = shrunk(pair.real(turn), *critic.stand()), pair.fakes(turn)
        scores: Tensor = critic(real)
        penalty = gradient_penalty(critic, real, fake, turn.draws).mean()
        drift = scores.square().mean()
        return wasserstein_loss(scores, critic(fake)) + params.lambda_ * penalty + params.drift * drift

    def generate(turn: Turn) -> Tensor:
        grow(turn)
        return wanting_loss(critic(pair.imitations(turn)))

    adams = partial(adam, betas=params.betas)
    terms = Terms(
        critic=adams(params.lr_critic), generator=adams(params.lr_generator), schedule=in_turn(params.k), ema=params.ema
    )
    renewals = _renewals(canvas.levels) if params.growing else ()
    return replace(duel(pair, terms, criticise=criticise, generate=generate), renewals=renewals)


def grown(share: float, levels: int) -> float:
    """How far players have grown after a share of the game: stand, fade, stand, fade, stand, in equal parts."""
    part, within = divmod(share * (2 * levels - 1), 1)
    fading = int(part) % 2 == 1
    return int(part) // 2 + (within if fading else 0.0) if part < 2 * levels - 1 else levels - 1.0


def _renewals(levels: int) -> tuple[float, ...]:
    """Optimisers begin anew where a level begins and where it is all there, as in the authors' code."""
    parts = 2 * levels - 1
    return tuple(part / parts for part in range(1, parts))
