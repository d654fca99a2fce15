"""Zhao et al. 2018, arXiv:1706.04223, section 5: what is said in one class, said in another, without pairs.

Each class has a decoder; a classifier of codes looks for the class, and the encoder learns to hide it, with minibatches
in which all classes are mixed.
"""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from advorch.api import ErrorClass, Signature, StageFailed
from advorch.kit.adversary.game import Game, Player, Turn
from advorch.kit.adversary.optimizers import adam
from advorch_builtins.generators.arae import codes_of, phases
from advorch_builtins.generators.catalog_text import AraeTransferParams
from advorch_builtins.generators.sentences import SentenceCoder, perceptron


def arae_transfer(params: AraeTransferParams, signature: Signature) -> Game:
    """Samples are of all classes alike."""
    classes = len(signature.classes)
    if classes < 2:
        raise StageFailed("there is no other class to go to", error_class=ErrorClass.USER, hint="give it two or more")
    coder = SentenceCoder(params, signature, classes)
    reader = perceptron(params.code, params.hidden, classes)
    autoencoder, critic, generator, encoder = phases(params, coder)

    def read(turn: Turn) -> Tensor:
        with torch.no_grad():
            code = coder.encode(turn.x)
        return cross_entropy(reader(code), turn.y)

    def hide(turn: Turn) -> Tensor:
        """The gap of the codes' laws, and a reader who takes each code for one of the classes after its own."""
        code = coder.encode(turn.x)
        other = (turn.y + 1) % classes
        return encoder.loss(turn) + params.lambda_class * cross_entropy(reader(code), other)

    latent = codes_of(params, coder, classes)

    def sample(count: int, rng: torch.Generator) -> Tensor:
        y = torch.randint(classes, (count,), generator=rng, device=rng.device)
        return latent.decode(latent.draw(count, rng), y)

    classifier = Player(
        name="classifier", module=reader, optimizer=adam(params.lr_adversarial, params.betas), loss=read
    )
    return Game(
        players=(autoencoder, critic, generator, replace(encoder, loss=hide), classifier),
        schedule=("autoencoder", *["critic"] * params.k, "encoder", "generator", "classifier"),
        output="autoencoder",
        sample=sample,
        latent=latent,
    )
