"""The host of generators: plays the game to its end, then writes the generator and the samples that it hands on."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from advorch.artifacts import ArtifactType, Outcome, Output, Signature
from advorch.canonical import Json
from advorch.components import AnyStageComponent, Generator
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.adversary import checkpoint
from advorch.kit.adversary.game import Game
from advorch.kit.adversary.gang import Gang
from advorch.kit.adversary.generator import GeneratorRecord, write_generator
from advorch.kit.adversary.loop import Rules, play
from advorch.kit.adversary.match import Match
from advorch.kit.adversary.moments import Album, read_moments
from advorch.kit.codecs import write_data
from advorch.kit.data import Data
from advorch.kit.evaluation.figures import is_image, sheet
from advorch.kit.evaluation.moment_figures import pictures_by_moment
from advorch.kit.inputs import open_data
from advorch.params import location_fields
from advorch.protocols import StageContext
from advorch.threat import span

_REPORTS, _SHOWN, _KEPT = 100, 64, 500


def run(context: StageContext, component: AnyStageComponent, settings: Any) -> Outcome:
    """Play on every rank; rank 0 writes."""
    data = open_data(context, context.inputs["data"][0])
    _check_kind(data, words=isinstance(component, Generator) and component.words)
    match = Match(_build(component, settings, data.signature, context.seeds.stream("init")), context.device)
    if not context.inputs.get("labelled"):  # else labels come from there
        _check_labels(match.game, data)
    seed = context.seeds.stream("game")
    album = Album(settings.moments, _KEPT, context.seeds.stream("moments"))
    if (found := context.resume()) is not None:
        checkpoint.load(match, found, seed=seed)
        album.load(found)
    losses = _play(context, match, data, settings, album)
    if context.rank:
        return Outcome(outputs={}, metrics=losses)
    record = GeneratorRecord(
        component=component.id, params=_plain(settings), signature=data.signature, vocabulary=data.vocabulary
    )
    samples = _samples(match, settings.samples, data, context.seeds.stream("samples"))
    folder = context.scratch / "outputs"
    with match.result() as module:
        write_generator(folder / "generator", module, record)
    album.save(folder / "generator")
    if is_image(data.signature.shape):
        _show(folder / "generator", samples, data)
    write_data(folder / "samples", samples)
    outputs = {
        "generator": Output(type=ArtifactType.GENERATOR, folder=folder / "generator"),
        "samples": Output(type=ArtifactType.SAMPLES, folder=folder / "samples"),
    }
    return Outcome(outputs=outputs, metrics=losses)


def _show(folder: Path, samples: Data, data: Data) -> None:
    """A sheet of pictures, and the same few at the moments that were kept."""
    (folder / "sheet.png").write_bytes(sheet(samples.x[:_SHOWN], _range(data)))
    if (kept := read_moments(folder)) is not None:
        rows = {"": list(zip(kept.steps, kept.x, strict=True))}
        (folder / "moments.png").write_bytes(pictures_by_moment(rows, _range(data)))


def _plain(settings: Any) -> dict[str, Json]:
    """The parameters without places: a generator is what it is wherever its data lay."""
    places = location_fields(type(settings))
    return {name: value for name, value in settings.plain().items() if name not in places}


def _range(data: Data) -> tuple[float, float]:
    return span(data.box) if data.box else (float(data.x.min()), float(data.x.max()))


def _samples(match: Match, count: int, data: Data, seed: int) -> Data:
    """Samples under ids of their own: of all classes in turn, or of a class that nobody says."""
    classes = match.game.latent.classes if match.game.latent else 0
    y = torch.arange(count) % classes if classes else torch.full((count,), -1, dtype=torch.int64)
    x = match.sample_of(y, seed) if classes else match.sample(count, seed)
    return replace(data, x=x, y=y, ids=torch.arange(count))


def _check_labels(game: Game, data: Data) -> None:
    if game.latent and game.latent.classes and int(data.y.min()) < 0:
        message = "the data has samples without a class, and the game is told the class of each"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="set conditioning: none, or give labelled data")


def _check_kind(data: Data, *, words: bool) -> None:
    if words and data.x.is_floating_point():
        message = "the data holds real numbers, and this game is played over sentences"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="give it data of `sentences`")
    if not words and not data.x.is_floating_point():
        message = f"the data holds {data.x.dtype}, and a game is played over real numbers"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="for sentences there is `arae`")


def _build(component: AnyStageComponent, settings: Any, signature: Signature, seed: int) -> Game:
    """The same initial weights for a seed, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        game: Game = component.load()(settings, signature)
    return game


def _labelled(context: StageContext, data: Data) -> Data | None:
    """The samples at the port of that name, which must be of a class, and like the others."""
    sources = context.inputs.get("labelled", ())
    if not sources:
        return None
    known = open_data(context, sources[0])
    if known.signature != data.signature or int(known.y.min()) < 0:
        message = "the labelled samples are not like the data, or some are of no class"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="connect the labelled part of the same data")
    return known


def _play(context: StageContext, match: Match, data: Data, settings: Any, album: Album) -> dict[str, float]:
    seed = context.seeds.stream("game")

    def report(step: int, losses: Mapping[str, float], keep: bool) -> None:
        folder = context.scratch / f"checkpoint-{step}" if keep else None
        album.look(match, settings.steps)
        if folder and context.rank == 0:
            album.save(checkpoint.save(match, folder, seed=seed))
        context.report(losses, step=step, checkpoint=folder)
        if folder:
            shutil.rmtree(folder, ignore_errors=True)

    rules = Rules(
        steps=settings.steps,
        batch=settings.batch,
        seed=seed,
        report_every=max(1, settings.steps // _REPORTS),
        checkpoint_every=settings.checkpoint_every,
    )
    return play(match, data, rules, report, Gang(context.rank, context.world_size), _labelled(context, data))
