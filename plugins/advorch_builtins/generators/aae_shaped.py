"""Adversarial autoencoders, arXiv:1511.05644, section 2.3: labels shape the law of codes.

The critic sees a code beside its class, or beside a class more for those that nobody knows. A labelled code is compared
with the part of the prior that belongs to its class, an unlabelled one with the whole.
"""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from advorch.api import Signature
from advorch.kit.adversary.game import Game, Latent, Turn
from advorch.kit.adversary.priors import plane
from advorch_builtins.generators.autoencoders import (
    Autoencoder,
    code_critic,
    critic_network,
    deceiver,
    reconstruction,
)
from advorch_builtins.generators.catalog_autoencoders import AaeShapedParams


def aae_shaped(params: AaeShapedParams, signature: Signature) -> Game:
    """Samples are drawn from the whole prior, all classes alike."""
    count = len(signature.classes)
    law = plane(params.prior, count, params.spread)
    model = Autoencoder(params, signature, outputs=params.latent, inputs=params.latent)
    critic = critic_network(params.latent + count + 1, params)

    def told(code: Tensor, y: Tensor) -> Tensor:
        known = torch.where(y < 0, count, y)
        return torch.cat([code, one_hot(known, count + 1).to(code.dtype)], dim=1)

    def codes(turn: Turn) -> Tensor:
        return model.noisy(turn.x, turn, params.noise)

    def shown(turn: Turn) -> Tensor:
        return told(codes(turn), turn.y)

    def prior(turn: Turn) -> Tensor:
        drawn = (count * turn.draws.uniform(len(turn.x))).long()
        classes = torch.where(turn.y < 0, drawn, turn.y)
        return told(law(turn.draws.normal(len(turn.x), params.latent), classes), turn.y)

    def draw(number: int, rng: torch.Generator) -> Tensor:
        classes = torch.randint(count, (number,), generator=rng, device=rng.device)
        return law(torch.randn(number, params.latent, generator=rng, device=rng.device), classes)

    return Game(
        players=(
            reconstruction(model, params, codes),
            code_critic(critic, params, prior=prior, codes=shown),
            deceiver(model, params, critic, shown),
        ),
        schedule=("autoencoder", "critic", "encoder"),
        output="autoencoder",
        sample=lambda number, rng: model.made(draw(number, rng)),
        latent=Latent(size=params.latent, draw=draw, decode=lambda code, y: model.made(code), encode=model.seen),
    )
