"""The host of generators: plays the game to its end, then writes the generator and the samples that it hands on."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from advorch.artifacts import ArtifactType, Outcome, Output, Signature
from advorch.canonical import Json
from advorch.components import AnyStageComponent
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.adversary import checkpoint
from advorch.kit.adversary.game import Game
from advorch.kit.adversary.gang import Gang
from advorch.kit.adversary.generator import GeneratorRecord, write_generator
from advorch.kit.adversary.loop import Rules, play
from advorch.kit.adversary.match import Match
from advorch.kit.codecs import write_data
from advorch.kit.data import Data
from advorch.kit.evaluation.figures import is_image, sheet
from advorch.kit.inputs import open_data
from advorch.params import location_fields
from advorch.protocols import StageContext
from advorch.threat import span

_REPORTS, _SHOWN = 100, 64


def run(context: StageContext, component: AnyStageComponent, settings: Any) -> Outcome:
    """Play on every rank; rank 0 writes."""
    data = open_data(context, context.inputs["data"][0])
    _check_numbers(data)
    match = Match(_build(component, settings, data.signature, context.seeds.stream("init")), context.device)
    seed = context.seeds.stream("game")
    if (found := context.resume()) is not None:
        checkpoint.load(match, found, seed=seed)
    losses = _play(context, match, data, settings, seed)
    if context.rank:
        return Outcome(outputs={}, metrics=losses)
    record = GeneratorRecord(component=component.id, params=_plain(settings), signature=data.signature)
    samples = match.sample(settings.samples, context.seeds.stream("samples"))
    folder = context.scratch / "outputs"
    with match.result() as module:
        write_generator(folder / "generator", module, record)
    if is_image(data.signature.shape):
        (folder / "generator" / "sheet.png").write_bytes(sheet(samples[:_SHOWN], _range(data)))
    write_data(folder / "samples", _as_data(samples, data))
    outputs = {
        "generator": Output(type=ArtifactType.GENERATOR, folder=folder / "generator"),
        "samples": Output(type=ArtifactType.SAMPLES, folder=folder / "samples"),
    }
    return Outcome(outputs=outputs, metrics=losses)


def _plain(settings: Any) -> dict[str, Json]:
    """The parameters without places: a generator is what it is wherever its data lay."""
    places = location_fields(type(settings))
    return {name: value for name, value in settings.plain().items() if name not in places}


def _range(data: Data) -> tuple[float, float]:
    return span(data.box) if data.box else (float(data.x.min()), float(data.x.max()))


def _as_data(samples: Tensor, data: Data) -> Data:
    """Samples under ids of their own; nobody says what class they are."""
    unknown = torch.full((len(samples),), -1, dtype=torch.int64)
    return replace(data, x=samples, y=unknown, ids=torch.arange(len(samples)))


def _check_numbers(data: Data) -> None:
    if not data.x.is_floating_point():
        message = f"the data holds {data.x.dtype}, and a game is played over real numbers"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="words and other symbols need an embedding first")


def _build(component: AnyStageComponent, settings: Any, signature: Signature, seed: int) -> Game:
    """The same initial weights for a seed, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        game: Game = component.load()(settings, signature)
    return game


def _play(context: StageContext, match: Match, data: Data, settings: Any, seed: int) -> dict[str, float]:
    def report(step: int, losses: Mapping[str, float], keep: bool) -> None:
        folder = context.scratch / f"checkpoint-{step}" if keep else None
        if folder and context.rank == 0:
            checkpoint.save(match, folder, seed=seed)
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
    return play(match, data, rules, report, Gang(context.rank, context.world_size))
