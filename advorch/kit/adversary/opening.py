"""Trained generators as stages and evaluations find them."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from advorch.artifacts import Input, Signature, StoredInput
from advorch.canonical import Json
from advorch.components import Generator
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.adversary.game import Game, Latent
from advorch.kit.adversary.generator import GeneratorRecord, read_generator
from advorch.kit.adversary.moments import Moments, read_moments
from advorch.kit.inputs import Lookup
from advorch.kit.repeatable import same_draws


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenGenerator:
    """A generator in evaluation mode on the context's device, under the name of its method."""

    game: Game
    record: GeneratorRecord
    label: str
    digest: str
    moments: Moments | None = None

    @property
    def signature(self) -> Signature:
        """The data that it imitates."""
        return self.record.signature

    @property
    def latent(self) -> Latent:
        """Its codes; an error where the method has none."""
        if self.game.latent is None:
            raise _unable(self, "says nothing of its codes", "every method that ships with advorch does")
        return self.game.latent

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """The codes of samples; an error where there is no encoder."""
        if self.latent.encode is None:
            raise _unable(self, "has no encoder", "an autoencoder has one, such as `vae` or `aae`")
        return self.latent.encode(x)

    def asked(self, wanted: str | int | None) -> int:
        """The number of a class that a conditional generator is asked for; -1 of one that knows no classes."""
        if not self.latent.classes:
            if wanted is not None:
                raise _unable(self, "knows no classes", "leave out the class")
            return -1
        if wanted is None:
            raise _unable(self, "is conditional", f"say which class: {', '.join(self.signature.classes[:10])}")
        return class_number(wanted, self.signature.classes)


def class_number(wanted: str | int, classes: tuple[str, ...]) -> int:
    """A class by number or name."""
    if isinstance(wanted, str) and wanted in classes:
        return classes.index(wanted)
    if isinstance(wanted, int) and 0 <= wanted < len(classes):
        return wanted
    hint = f"the data has {', '.join(classes[:10])}"
    raise StageFailed(f"there is no class '{wanted}'", error_class=ErrorClass.USER, hint=hint)


def open_generator(context: Lookup, source: Input) -> OpenGenerator:
    """A generator that an earlier cell committed."""
    if not isinstance(source, StoredInput):
        raise StageFailed("a generator port takes a stage's generator, not declared data", error_class=ErrorClass.USER)
    records: list[GeneratorRecord] = []

    def build(record: GeneratorRecord) -> Game:
        records.append(record)
        return build_game(context, record)

    game = read_generator(source.folder, build)
    game.generator.to(context.device)
    label = records[0].component.partition("/")[2]
    moments = read_moments(source.folder)
    return OpenGenerator(game=game, record=records[0], label=label, digest=source.artifact.digest, moments=moments)


def build_game(context: Lookup, record: GeneratorRecord) -> Game:
    """The game of a recorded generator, whose weights are still to come; the global random state is left alone."""
    component = context.lookup(record.component)
    if not isinstance(component, Generator):
        raise StageFailed(f"'{record.component}' is no generator", error_class=ErrorClass.USER)
    with same_draws(0):
        game: Game = component.load()(component.schema().parse(record.params), record.signature)
    return game


class CodesParams(Protocol):
    """What is written down of a model of codes."""

    component: str
    arguments: Mapping[str, Json]
    samples: Mapping[str, Json]
    label: int


def recorded(params: CodesParams) -> GeneratorRecord:
    """The generator that the parameters of a model of codes name."""
    return GeneratorRecord(
        component=params.component, params=params.arguments, signature=Signature.parse(params.samples)
    )


def behind(context: Lookup, record: GeneratorRecord, label: int, inner: nn.Module) -> nn.Module:
    """A model behind a generator, of which a class may be asked: it takes codes."""
    return nn.Sequential(OrderedDict(decoder=Decoder(build_game(context, record), label), inner=inner))


class Decoder(nn.Module):
    """From codes to samples of one class, or of none in particular; it holds the generator's weights."""

    def __init__(self, game: Game, label: int) -> None:
        super().__init__()
        self.generator = game.generator
        self._latent, self._label = _latent_of(game), label

    def forward(self, code: Tensor) -> Tensor:
        label = torch.full((len(code),), self._label, dtype=torch.int64, device=code.device)
        return self._latent.decode(code, label)


def _latent_of(game: Game) -> Latent:
    if game.latent is None:
        raise StageFailed("the generator says nothing of its codes", error_class=ErrorClass.USER)
    return game.latent


def _unable(generator: OpenGenerator, trouble: str, hint: str) -> StageFailed:
    return StageFailed(f"generator '{generator.label}' {trouble}", error_class=ErrorClass.USER, hint=hint)
