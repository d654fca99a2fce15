"""Zhao, Kim, Zhang, Rush and LeCun 2018, Adversarially Regularized Autoencoders, arXiv:1706.04223.

Three phases: words are given back from noisy codes; a critic estimates the distance between codes of sentences and
codes of a generator; generator and encoder both make it smaller. As published, and not as the authors' program has it:
the critic judges each code by itself, without batch norm, and generated codes have length one too.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from advorch.api import Signature
from advorch.kit.adversary.game import Game, Latent, Player, Turn
from advorch.kit.adversary.losses import wanting_loss, wasserstein_loss
from advorch.kit.adversary.optimizers import adam, sgd
from advorch.kit.adversary.penalties import gradient_penalty
from advorch_builtins.generators.catalog_text import AraeParams, AraePlainParams
from advorch_builtins.generators.sentences import SentenceCoder, perceptron


def arae(params: AraePlainParams, signature: Signature) -> Game:
    """Samples are what the decoder says of generated codes."""
    coder = SentenceCoder(params, signature, 1)
    players = phases(params, coder)
    latent = codes_of(params, coder, classes=0)

    def sample(count: int, rng: torch.Generator) -> Tensor:
        return latent.decode(latent.draw(count, rng), torch.zeros(count, dtype=torch.int64, device=rng.device))

    return Game(
        players=players,
        schedule=("autoencoder", *["critic"] * params.k, "encoder", "generator"),
        output="autoencoder",
        sample=sample,
        latent=latent,
    )


def codes_of(params: AraeParams, coder: SentenceCoder, classes: int) -> Latent:
    """Codes by their learnt law, and what is said of them."""

    def draw(count: int, rng: torch.Generator) -> Tensor:
        with torch.no_grad():
            return coder.codes(torch.randn(count, params.noise_size, generator=rng, device=rng.device))

    return Latent(size=params.code, draw=draw, decode=coder.say, encode=coder.encode, classes=classes)


def phases(params: AraeParams, coder: SentenceCoder) -> tuple[Player, Player, Player, Player]:
    """Autoencoder, critic, generator and encoder, in the order of their names in the schedule."""
    critic = perceptron(params.code, params.hidden, 1)

    def reconstruct(turn: Turn) -> Tensor:
        return coder.surprise(noisy(coder.encode(turn.x), turn, params), turn.x, turn.y)

    def criticise(turn: Turn) -> Tensor:
        with torch.no_grad():
            real, fake = coder.encode(turn.x), imagined(coder, turn, params)
        penalty = gradient_penalty(lambda code: critic(code).flatten(), real, fake, turn.draws)
        return wasserstein_loss(critic(real), critic(fake)) + params.lambda_ * penalty.mean()

    def generate(turn: Turn) -> Tensor:
        return wanting_loss(critic(imagined(coder, turn, params)))

    def approach(turn: Turn) -> Tensor:
        gap: Tensor = critic(coder.encode(turn.x)).mean()
        return gap

    quick = adam(params.lr_adversarial, params.betas)
    return (
        Player(name="autoencoder", module=coder, optimizer=adam(params.lr, (0.9, 0.999)), loss=reconstruct),
        Player(name="critic", module=critic, optimizer=quick, loss=criticise),
        Player(name="generator", module=coder.generator, optimizer=quick, loss=generate),
        Player(name="encoder", module=coder.encoder, optimizer=sgd(params.lr_encoder, 0.0), loss=approach),
    )


def noisy(code: Tensor, turn: Turn, params: AraeParams) -> Tensor:
    """A code under noise that fades slowly."""
    deviation = params.noise * params.noise_decay ** (turn.step / 100)
    if not deviation:
        return code
    return normalize(code + deviation * turn.draws.normal(*code.shape), dim=1)


def imagined(coder: SentenceCoder, turn: Turn, params: AraeParams) -> Tensor:
    """As many generated codes as there are sentences."""
    return coder.codes(turn.draws.normal(len(turn.x), params.noise_size))
