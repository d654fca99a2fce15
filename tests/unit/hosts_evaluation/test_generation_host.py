import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from advorch.artifacts import ArtifactType, DataInput, Outcome, Signature
from advorch.components import Dataset
from advorch.errors import StageFailed, Stopped
from advorch.hosts.generation import run
from advorch.kit.adversary.generator import draw, read_generator
from advorch.kit.codecs import read_data
from advorch.kit.data import Data
from advorch.params import Params
from advorch.seeds import Seeds
from advorch.testing.fakes import FakeContext, registry_of
from advorch_builtins.generators.catalog import advorch_components

GAN = next(component for component in advorch_components() if component.name == "gan")
SMALL = {"steps": 20, "batch": 16, "samples": 30, "checkpoint_every": 8, "hidden": [8], "lambda": 0.1}


def images(params: Params, split: str) -> Data:
    x = torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return Data(x=x, y=torch.zeros(40).long(), ids=torch.arange(40), classes=("all",), box=(0.0, 1.0))


NewContext = Callable[..., FakeContext]


@pytest.fixture
def new_context(tmp_path: Path) -> NewContext:
    torch.set_num_threads(1)

    def build(name: str, **given: Any) -> FakeContext:
        (tmp_path / name).mkdir()
        dataset = Dataset(name="images", summary="", params=Params, load=lambda: images)
        source = DataInput(uses="images", params={}, split="train", digest="x")
        return FakeContext(
            scratch=tmp_path / name,
            seeds=Seeds(5),
            inputs={"data": (source,)},
            components=registry_of(dataset, GAN),
            **given,
        )

    return build


def play(context: FakeContext, **params: Any) -> Outcome:
    return run(context, GAN, GAN.schema().parse({**SMALL, **params}))


def contents(outcome: Outcome) -> dict[str, bytes]:
    return {
        f"{port}/{path.name}": path.read_bytes()
        for port, output in outcome.outputs.items()
        for path in sorted(output.folder.iterdir())
    }


def test_a_game_hands_on_its_generator_and_samples(new_context: NewContext) -> None:
    context = new_context("work")
    outcome = play(context)
    assert outcome.outputs["generator"].type is ArtifactType.GENERATOR
    assert outcome.outputs["samples"].type is ArtifactType.SAMPLES
    samples = read_data(outcome.outputs["samples"].folder)
    assert samples.signature == Signature(shape=(1, 4, 4), classes=("all",), box=(0.0, 1.0))
    assert len(samples) == 30
    assert set(samples.y.tolist()) == {-1}
    assert outcome.metrics.keys() == GAN.metrics
    assert context.reports[-1] == (20, outcome.metrics)
    assert {path.name for path in outcome.outputs["generator"].folder.iterdir()} == {
        "generator.json", "sheet.png", "weights.safetensors",
    }  # fmt: skip


def test_a_written_generator_draws_the_samples_again(new_context: NewContext) -> None:
    context = new_context("work")
    outcome = play(context)
    folder = outcome.outputs["generator"].folder
    game = read_generator(folder, lambda record: GAN.load()(GAN.schema().parse(record.params), record.signature))
    again = draw(game, 30, context.seeds.stream("samples"))
    assert torch.equal(again, read_data(outcome.outputs["samples"].folder).x)
    assert json.loads((folder / "generator.json").read_text())["component"] == "generate/gan"


def test_a_game_that_was_stopped_ends_as_the_undisturbed_one(new_context: NewContext) -> None:
    whole = new_context("whole")
    expected = play(whole)
    stopped = new_context("stopped", stop_at=8)
    with pytest.raises(Stopped):
        play(stopped)
    resumed = new_context("resumed", checkpoint=stopped.checkpoint)
    found = play(resumed)
    assert contents(found) == contents(expected)
    assert found.metrics == expected.metrics
    assert resumed.reports == [report for report in whole.reports if report[0] > 8]


def test_a_seed_decides_everything(new_context: NewContext) -> None:
    torch.manual_seed(1)
    first = play(new_context("first"))
    torch.manual_seed(2)
    second = play(new_context("second"))
    assert contents(first) == contents(second)
    other = new_context("other")
    other.seeds = Seeds(6)
    assert contents(play(other))["samples/samples.safetensors"] != contents(first)["samples/samples.safetensors"]


def test_words_are_refused(new_context: NewContext) -> None:
    def words(params: Params, split: str) -> Data:
        return replace(images(params, split), x=torch.ones(40, 3, dtype=torch.int64))

    context = new_context("work")
    context.components = registry_of(Dataset(name="images", summary="", params=Params, load=lambda: words))
    with pytest.raises(StageFailed, match="real numbers"):
        play(context)


def test_a_checkpoint_is_gone_once_it_is_committed(new_context: NewContext) -> None:
    context = new_context("work")
    play(context)
    assert not list(context.scratch.glob("checkpoint-*"))


def test_reports_are_few_however_long_the_game(new_context: NewContext) -> None:
    context = new_context("work")
    play(context, steps=400, hidden=[2], checkpoint_every=1000)
    assert len(context.reports) == 100
