"""Networks of autoencoders, and the phases that adversarial ones have in common (Makhzani et al. 2015,
arXiv:1511.05644): reconstruction, then a game between a critic of codes and the encoder.

The encoder moves in both phases, each with an optimiser of its own; noise is added to inputs and nowhere else.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from advorch.api import Signature
from advorch.kit.adversary.game import Player, Turn
from advorch.kit.adversary.losses import critic_loss, non_saturating_loss
from advorch.kit.adversary.optimizers import adam
from advorch.kit.adversary.space import Space
from advorch_builtins.generators.catalog_autoencoders import AaeParams, AutoencoderParams

OfTurn = Callable[[Turn], Tensor]


class Autoencoder(nn.Module):
    """Both networks as the one result of a game; `outputs` of the encoder, `inputs` of the decoder."""

    def __init__(self, params: AutoencoderParams, signature: Signature, *, outputs: int, inputs: int) -> None:
        super().__init__()
        self._space = Space(signature)
        self.encoder = _encoder(math.prod(signature.shape), params, outputs)
        self.decoder = _decoder(inputs, params, signature)

    def seen(self, x: Tensor) -> Tensor:
        """What the encoder makes of samples."""
        found: Tensor = self.encoder(self._space.inward(x))
        return found

    def made(self, code: Tensor) -> Tensor:
        """What the decoder makes of codes, in the data's units."""
        return self._space.outward(self.decoder(code))

    def inward(self, x: Tensor) -> Tensor:
        """Samples in the decoder's own coordinates, in which they are compared."""
        return self._space.inward(x)

    @property
    def bounded(self) -> bool:
        """Whether samples have a legal range."""
        return self._space.bounded

    def noisy(self, x: Tensor, turn: Turn, deviation: float) -> Tensor:
        """The encoder's outputs for samples under noise of this turn."""
        x = self._space.inward(x)
        scale = 2 * deviation if self._space.bounded else deviation
        noise = turn.draws.normal(len(x), *x.shape[1:]).to(x.dtype) if deviation else 0.0
        found: Tensor = self.encoder(x + scale * noise)
        return found


def _encoder(inputs: int, params: AutoencoderParams, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for width in params.hidden:
        normed = [nn.BatchNorm1d(width)] if params.norm == "batch" else []
        layers += [nn.Linear(inputs, width), *normed, nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def _decoder(inputs: int, params: AutoencoderParams, signature: Signature) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in reversed(params.hidden):
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    squash = [nn.Tanh()] if signature.box is not None else []
    return nn.Sequential(
        *layers, nn.Linear(inputs, math.prod(signature.shape)), *squash, nn.Unflatten(1, signature.shape)
    )


def reconstruction(model: Autoencoder, params: AutoencoderParams, codes: OfTurn) -> Player:
    """The phase in which encoder and decoder learn to give back what they were shown; `codes` are the decoder's."""

    def loss(turn: Turn) -> Tensor:
        return mse_loss(model.decoder(codes(turn)), model.inward(turn.x))

    return Player(name="autoencoder", module=model, optimizer=adam(params.lr, (0.9, 0.999)), loss=loss)


def code_critic(module: nn.Module, params: AaeParams, *, prior: OfTurn, codes: OfTurn) -> Player:
    """Tells draws from the prior, which are real, from codes; nothing flows back into the encoder."""

    def loss(turn: Turn) -> Tensor:
        with torch.no_grad():
            found = codes(turn)
        return critic_loss(module(prior(turn)), module(found))

    return Player(name="critic", module=module, optimizer=adam(params.lr_adversarial, params.betas), loss=loss)


def deceiver(model: Autoencoder, params: AaeParams, critic: nn.Module, codes: OfTurn) -> Player:
    """The encoder, which wants its codes taken for draws from the prior."""

    def loss(turn: Turn) -> Tensor:
        return non_saturating_loss(critic(codes(turn)))

    return Player(name="encoder", module=model.encoder, optimizer=adam(params.lr_adversarial, params.betas), loss=loss)


def critic_network(inputs: int, params: AaeParams) -> nn.Sequential:
    """From a code, and what is told beside it, to a number; without batch norm, since it must see each code alone."""
    layers: list[nn.Module] = []
    for width in params.critic:
        layers += [nn.Linear(inputs, width), nn.LeakyReLU(0.2)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, 1), nn.Flatten(0))
