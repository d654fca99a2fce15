"""Adversarial autoencoders, arXiv:1511.05644, section 5: an encoder that classifies, from a few labels.

Its outputs are a class, by a softmax, and a style. In the first phase both are decoded; in the second one critic makes
the classes one-hot and equally frequent, another the styles normal; in the third the labelled samples have their say.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from advorch.api import ErrorClass, Signature, StageFailed
from advorch.kit.adversary.game import Game, Latent, Player, Turn
from advorch.kit.adversary.optimizers import adam
from advorch_builtins.generators.autoencoders import (
    Autoencoder,
    code_critic,
    critic_network,
    deceiver,
    reconstruction,
)
from advorch_builtins.generators.catalog_autoencoders import AaeSemiParams


class Halves:
    """An encoder's outputs as logits of the classes and as a style."""

    def __init__(self, model: Autoencoder, params: AaeSemiParams, classes: int) -> None:
        self._model, self._noise, self.classes = model, params.noise, classes

    def logits(self, x: Tensor) -> Tensor:
        """Of samples as they are."""
        return self._model.seen(x)[:, : self.classes]

    def noisy_logits(self, x: Tensor, turn: Turn) -> Tensor:
        """Of labelled samples, under noise as all that the encoder is trained on."""
        return self._model.noisy(x, turn, self._noise)[:, : self.classes]

    def style(self, x: Tensor) -> Tensor:
        """Of samples as they are."""
        return self._model.seen(x)[:, self.classes :]

    def both(self, turn: Turn) -> Tensor:
        """Shares of classes beside the style, under noise: what is decoded."""
        found = self._model.noisy(turn.x, turn, self._noise)
        return torch.cat([found[:, : self.classes].softmax(1), found[:, self.classes :]], dim=1)


class Critics(nn.Module):
    """One of classes and one of styles, for whatever `Halves.both` gives: two numbers a sample."""

    def __init__(self, params: AaeSemiParams, classes: int) -> None:
        super().__init__()
        self._classes = classes
        self.of_classes = critic_network(classes, params)
        self.of_styles = critic_network(params.latent, params)

    def forward(self, code: Tensor) -> Tensor:
        """Theirs, side by side."""
        scores = [self.of_classes(code[:, : self._classes]), self.of_styles(code[:, self._classes :])]
        return torch.stack(scores, dim=1)


def aae_semi(params: AaeSemiParams, signature: Signature) -> Game:
    """The labels of the data itself are never looked at."""
    count = len(signature.classes)
    model = Autoencoder(params, signature, outputs=count + params.latent, inputs=count + params.latent)
    halves = Halves(model, params, count)
    critics = Critics(params, count)

    def prior(turn: Turn) -> Tensor:
        drawn = (count * turn.draws.uniform(len(turn.x))).long().clamp(max=count - 1)
        style = params.spread * turn.draws.normal(len(turn.x), params.latent)
        return torch.cat([one_hot(drawn, count).to(style.dtype), style], dim=1)

    def draw(number: int, rng: torch.Generator) -> Tensor:
        return params.spread * torch.randn(number, params.latent, generator=rng, device=rng.device)

    def decode(style: Tensor, y: Tensor) -> Tensor:
        return model.made(torch.cat([one_hot(y, count).to(style.dtype), style], dim=1))

    def sample(number: int, rng: torch.Generator) -> Tensor:
        y = torch.randint(count, (number,), generator=rng, device=rng.device)
        return decode(draw(number, rng), y)

    return Game(
        players=(
            reconstruction(model, params, halves.both),
            code_critic(critics, params, prior=prior, codes=halves.both),
            deceiver(model, params, critics, halves.both),
            _classifier(model, params, halves),
        ),
        schedule=("autoencoder", "critic", "encoder", "classifier"),
        output="autoencoder",
        sample=sample,
        latent=Latent(
            size=params.latent, draw=draw, decode=decode, encode=halves.style, classify=halves.logits, classes=count
        ),
    )


def _classifier(model: Autoencoder, params: AaeSemiParams, halves: Halves) -> Player:
    def loss(turn: Turn) -> Tensor:
        if turn.labelled is None:
            hint = "connect `in: {labelled: STAGE.labelled}`, for example of `generate/hide-labels`"
            raise StageFailed("aae-semi needs labelled samples", error_class=ErrorClass.USER, hint=hint)
        x, y = turn.labelled
        return cross_entropy(halves.noisy_logits(x, turn), y)

    return Player(name="classifier", module=model.encoder, optimizer=adam(params.lr_labels, (0.9, 0.999)), loss=loss)
