"""Kingma and Welling 2014, Auto-Encoding Variational Bayes, arXiv:1312.6114."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, mse_loss

from advorch.api import Signature
from advorch.kit.adversary.game import Game, Latent, Player, Turn
from advorch.kit.adversary.optimizers import adam
from advorch_builtins.generators.autoencoders import Autoencoder
from advorch_builtins.generators.catalog_autoencoders import VaeParams

_LEAST, _MOST = -8.0, 8.0  # of log variances: beyond them is nothing but overflow


def vae(params: VaeParams, signature: Signature) -> Game:
    """One player, who minimises the negative evidence bound of a sample."""
    model = Autoencoder(params, signature, outputs=2 * params.latent, inputs=params.latent)

    def loss(turn: Turn) -> Tensor:
        mean, spread = _law(model.seen(turn.x))
        code = mean + (spread / 2).exp() * turn.draws.normal(len(turn.x), params.latent)
        return _misfit(model, code, turn) + params.beta * divergence(mean, spread).mean()

    def draw(count: int, rng: torch.Generator) -> Tensor:
        return torch.randn(count, params.latent, generator=rng, device=rng.device)

    latent = Latent(
        size=params.latent,
        draw=draw,
        decode=lambda code, y: model.made(code),
        encode=lambda x: _law(model.seen(x))[0],
    )
    return Game(
        players=(Player(name="autoencoder", module=model, optimizer=adam(params.lr, (0.9, 0.999)), loss=loss),),
        schedule=("autoencoder",),
        output="autoencoder",
        sample=lambda count, rng: model.made(draw(count, rng)),
        latent=latent,
    )


def _law(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Means and log variances."""
    mean, spread = outputs.chunk(2, dim=1)
    return mean, spread.clamp(_LEAST, _MOST)


def divergence(mean: Tensor, spread: Tensor) -> Tensor:
    """KL of N(mean, exp spread) to N(0, 1), by sample: sum of (mean^2 + exp spread - spread - 1) / 2."""
    return (mean.square() + spread.exp() - spread - 1).sum(dim=1) / 2


def _misfit(model: Autoencoder, code: Tensor, turn: Turn) -> Tensor:
    """Minus the log likelihood of a sample, a constant aside: of grey levels as probabilities, or of unit Gaussians."""
    made, wanted = model.decoder(code), model.inward(turn.x)
    size = wanted[0].numel()
    if not model.bounded:
        return mse_loss(made, wanted) * size / 2
    shares = ((made + 1) / 2).clamp(1e-6, 1 - 1e-6)
    return binary_cross_entropy(shares, (wanted + 1) / 2) * size
