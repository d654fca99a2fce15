"""Adversarial autoencoders, arXiv:1511.05644, section 4: the class to the decoder, the style in the code."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from advorch.api import Signature
from advorch.kit.adversary.game import Game, Latent, Turn
from advorch_builtins.generators.autoencoders import (
    Autoencoder,
    code_critic,
    critic_network,
    deceiver,
    reconstruction,
)
from advorch_builtins.generators.catalog_autoencoders import AaeStyleParams


def aae_style(params: AaeStyleParams, signature: Signature) -> Game:
    """Decoding takes a class and a style; the prior says nothing of the class, so neither may the style."""
    count = len(signature.classes)
    model = Autoencoder(params, signature, outputs=params.latent, inputs=params.latent + count)
    critic = critic_network(params.latent, params)

    def joined(style: Tensor, y: Tensor) -> Tensor:
        return torch.cat([style, one_hot(y, count).to(style.dtype)], dim=1)

    def styles(turn: Turn) -> Tensor:
        return model.noisy(turn.x, turn, params.noise)

    def prior(turn: Turn) -> Tensor:
        return params.spread * turn.draws.normal(len(turn.x), params.latent)

    def draw(number: int, rng: torch.Generator) -> Tensor:
        return params.spread * torch.randn(number, params.latent, generator=rng, device=rng.device)

    def decode(style: Tensor, y: Tensor) -> Tensor:
        return model.made(joined(style, y))

    def sample(number: int, rng: torch.Generator) -> Tensor:
        y = torch.randint(count, (number,), generator=rng, device=rng.device)
        return decode(draw(number, rng), y)

    return Game(
        players=(
            reconstruction(model, params, lambda turn: joined(styles(turn), turn.y)),
            code_critic(critic, params, prior=prior, codes=styles),
            deceiver(model, params, critic, styles),
        ),
        schedule=("autoencoder", "critic", "encoder"),
        output="autoencoder",
        sample=sample,
        latent=Latent(size=params.latent, draw=draw, decode=decode, encode=model.seen, classes=count),
    )
