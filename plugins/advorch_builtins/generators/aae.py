"""Makhzani, Shlens, Jaitly, Goodfellow and Frey 2015, Adversarial Autoencoders, arXiv:1511.05644, section 2."""

import torch
from torch import Tensor

from advorch.api import Signature
from advorch.kit.adversary.game import Game, Latent, Turn
from advorch_builtins.generators.autoencoders import (
    Autoencoder,
    code_critic,
    critic_network,
    deceiver,
    reconstruction,
)
from advorch_builtins.generators.catalog_autoencoders import AaePlainParams


def aae(params: AaePlainParams, signature: Signature) -> Game:
    """Codes follow N(0, spread^2), which samples are drawn from."""
    model = Autoencoder(params, signature, outputs=params.latent, inputs=params.latent)
    critic = critic_network(params.latent, params)

    def codes(turn: Turn) -> Tensor:
        return model.noisy(turn.x, turn, params.noise)

    def prior(turn: Turn) -> Tensor:
        return params.spread * turn.draws.normal(len(turn.x), params.latent)

    def draw(count: int, rng: torch.Generator) -> Tensor:
        return params.spread * torch.randn(count, params.latent, generator=rng, device=rng.device)

    return Game(
        players=(
            reconstruction(model, params, codes),
            code_critic(critic, params, prior=prior, codes=codes),
            deceiver(model, params, critic, codes),
        ),
        schedule=("autoencoder", "critic", "encoder"),
        output="autoencoder",
        sample=lambda count, rng: model.made(draw(count, rng)),
        latent=Latent(size=params.latent, draw=draw, decode=lambda code, y: model.made(code), encode=model.seen),
    )
