"""Networks of sentences: word numbers to codes of length one, and codes to words."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from advorch.api import ErrorClass, Signature, StageFailed
from advorch_builtins.datasets.sentences import END, PAD, START
from advorch_builtins.generators.catalog_text import AraeParams


class Encoder(nn.Module):
    """A recurrent network; the code is its state at the end mark, brought to length one."""

    def __init__(self, words: int, params: AraeParams) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, params.embedding, padding_idx=PAD)
        self.network = nn.GRU(params.embedding, params.code, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """One code a sentence; what follows the end mark is not looked at."""
        states, _ = self.network(self.embedding(x))
        last = ((x != PAD).sum(1) - 1).clamp(min=0)
        return normalize(states[torch.arange(len(x), device=x.device), last], dim=1)


class Decoder(nn.Module):
    """A recurrent network that sees the code at every step beside the word before."""

    def __init__(self, words: int, params: AraeParams) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, params.embedding, padding_idx=PAD)
        self.network = nn.GRU(params.embedding + params.code, params.code, batch_first=True)
        self.out = nn.Linear(params.code, words)

    def forward(self, code: Tensor, before: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits of the next words, and the state after them; it starts from the code."""
        seen = torch.cat([self.embedding(before), code[:, None].expand(-1, before.shape[1], -1)], dim=2)
        states, last = self.network(seen, code[None].contiguous() if state is None else state)
        return self.out(states), last


class SentenceCoder(nn.Module):
    """Encoder, decoders and the generator of codes: the result of the game."""

    def __init__(self, params: AraeParams, signature: Signature, decoders: int) -> None:
        super().__init__()
        words, self._length = vocabulary_size(signature), signature.shape[0]
        self.encoder = Encoder(words, params)
        self.decoders = nn.ModuleList(Decoder(words, params) for _ in range(decoders))
        self.generator = perceptron(params.noise_size, params.hidden, params.code)

    def encode(self, x: Tensor) -> Tensor:
        """Codes of sentences."""
        code: Tensor = self.encoder(x)
        return code

    def codes(self, noise: Tensor) -> Tensor:
        """Codes that the generator makes; as long as the encoder's, or the critic would tell them by that alone."""
        return normalize(self.generator(noise), dim=1)

    def surprise(self, code: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Mean cross-entropy of the words, each told the true one before it; padding does not count."""
        before = torch.cat([torch.full_like(x[:, :1], START), x[:, :-1]], dim=1)
        terms = [
            cross_entropy(decoder(code[own], before[own])[0].flatten(0, 1), x[own].flatten(), ignore_index=PAD)
            * (len(x[own]) / len(x))
            for decoder, own in self._shares(y)
            if bool(own.any())
        ]
        return torch.stack(terms).sum()

    @torch.no_grad()
    def say(self, code: Tensor, y: Tensor) -> Tensor:
        """The likeliest next word again and again, to the end mark."""
        said = torch.full((len(code), self._length), PAD, device=code.device)
        for decoder, own in self._shares(y):
            said[own] = self._say(decoder, code[own])
        return said

    def _say(self, decoder: nn.Module, code: Tensor) -> Tensor:
        word = torch.full((len(code), 1), START, device=code.device)
        state, over, words = None, torch.zeros(len(code), dtype=torch.bool, device=code.device), []
        for _ in range(self._length if len(code) else 0):
            logits, state = decoder(code, word, state)
            word = logits[:, :, START + 1 :].argmax(2) + START + 1
            words.append(torch.where(over, PAD, word[:, 0]))
            over = over | (word[:, 0] == END)
        return torch.stack(words, dim=1) if words else torch.empty(0, self._length, dtype=torch.int64)

    def _shares(self, y: Tensor) -> list[tuple[nn.Module, Tensor]]:
        """Each decoder, and which samples are its own; one decoder takes them all."""
        if len(self.decoders) == 1:
            return [(self.decoders[0], torch.ones_like(y, dtype=torch.bool))]
        return [(decoder, y == label) for label, decoder in enumerate(self.decoders)]


def perceptron(inputs: int, hidden: Sequence[int], outputs: int) -> nn.Sequential:
    """Without batch norm: the penalised critic must see each code alone."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.LeakyReLU(0.2)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def vocabulary_size(signature: Signature) -> int:
    """From the box, which spans the word numbers; an error where the data is no sentences."""
    if len(signature.shape) != 1 or signature.box is None or isinstance(signature.box[1], tuple):
        hint = "give it data of `sentences`"
        raise StageFailed("the data holds no sentences", error_class=ErrorClass.USER, hint=hint)
    return int(signature.box[1]) + 1
