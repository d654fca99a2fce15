"""Goodfellow et al. 2014, Generative Adversarial Nets, arXiv:1406.2661; R1 after Mescheder et al. 2018."""

import functools
import math

import torch
from torch import Tensor, nn

from advorch.api import Signature
from advorch.kit.adversary.game import Game, Player, Turn
from advorch.kit.adversary.losses import critic_loss, non_saturating_loss, r1_penalty, saturating_loss
from advorch.kit.box import ends_of
from advorch_builtins.generators.catalog import GanParams

_SLOPE = 0.2  # of LeakyReLU: Radford et al. 2015
_LARGEST_LATENT = 64


def gan(params: GanParams, signature: Signature) -> Game:
    """A generator and a critic for samples of any shape; samples keep to the data's box."""
    size = math.prod(signature.shape)
    latent_size = params.latent or min(size, _LARGEST_LATENT)
    generator = nn.Sequential(_perceptron(latent_size, params.hidden, size), Shaped(signature))
    critic = nn.Sequential(nn.Flatten(), _perceptron(size, params.hidden, 1), nn.Flatten(0))
    generator_loss = {"saturating": saturating_loss, "non-saturating": non_saturating_loss}[params.objective]

    def sample(count: int, rng: torch.Generator) -> Tensor:
        latent: Tensor = torch.randn(count, latent_size, generator=rng, device=rng.device)
        drawn: Tensor = generator(latent)
        return drawn

    def criticise(turn: Turn) -> Tensor:
        with torch.no_grad():
            fake = sample(len(turn.x), turn.rng)
        real = turn.x.detach().requires_grad_(params.lambda_ > 0)
        scores = critic(real)
        loss = critic_loss(scores, critic(fake))
        if params.lambda_:
            loss = loss + params.lambda_ / 2 * r1_penalty(scores, real).mean()
        return loss

    def generate(turn: Turn) -> Tensor:
        return generator_loss(critic(sample(len(turn.x), turn.rng)))

    adam = functools.partial(torch.optim.Adam, betas=params.betas)
    return Game(
        players=(
            Player(
                name="critic", module=critic, optimizer=functools.partial(adam, lr=params.lr_critic), loss=criticise
            ),
            Player(
                name="generator",
                module=generator,
                optimizer=functools.partial(adam, lr=params.lr_generator),
                loss=generate,
            ),
        ),
        schedule=("critic",) * params.k + ("generator",),
        sample=sample,
        ema=params.ema,
    )


class Shaped(nn.Module):
    """A flat output as a sample of the data's shape, squeezed into its box where it has one."""

    def __init__(self, signature: Signature) -> None:
        super().__init__()
        self._shape, self._box = signature.shape, signature.box

    def forward(self, flat: Tensor) -> Tensor:
        """Reshape, then scale."""
        shaped = flat.view(-1, *self._shape)
        if self._box is None:
            return shaped
        low, high = ends_of(self._box, self._shape, shaped)
        return low + (high - low) * torch.sigmoid(shaped)


def _perceptron(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.LeakyReLU(_SLOPE)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))
