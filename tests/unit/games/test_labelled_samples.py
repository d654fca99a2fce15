"""The host of generators hands on labels where a game knows classes, and says so where data has none."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from advorch.artifacts import DataInput, Outcome
from advorch.components import Dataset
from advorch.errors import StageFailed
from advorch.hosts.generation import run
from advorch.kit.adversary.moments import read_moments
from advorch.kit.codecs import read_data
from advorch.kit.data import Data
from advorch.params import Params
from advorch.seeds import Seeds
from advorch.testing.fakes import FakeContext, registry_of
from advorch_builtins.generators.catalog import advorch_components

TOLD = next(component for component in advorch_components() if component.name == "conditional-gan")


def pictures(params: Params, split: str) -> Data:
    x = torch.rand(40, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    return Data(x=x, y=torch.arange(40) % 4, ids=torch.arange(40), classes=tuple("abcd"), box=(0.0, 1.0))


def play(folder: Path, load: Callable[[Params, str], Data]) -> Outcome:
    dataset = Dataset(name="images", summary="", params=Params, load=lambda: load)
    source = DataInput(uses="images", params={}, split="train", digest="x")
    context = FakeContext(
        scratch=folder, seeds=Seeds(5), inputs={"data": (source,)}, components=registry_of(dataset, TOLD)
    )
    given: dict[str, Any] = {"steps": 6, "batch": 8, "samples": 10, "width": 4, "moments": 3}
    return run(context, TOLD, TOLD.schema().parse(given))


def test_samples_are_of_all_classes_in_turn(tmp_path: Path) -> None:
    outcome = play(tmp_path, pictures)
    samples = read_data(outcome.outputs["samples"].folder)
    assert samples.y.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert samples.classes == tuple("abcd")


def test_moments_lie_beside_the_generator(tmp_path: Path) -> None:
    folder = play(tmp_path, pictures).outputs["generator"].folder
    kept = read_moments(folder)
    assert kept is not None
    assert kept.steps == (2, 4, 6)
    assert (folder / "moments.png").read_bytes().startswith(b"\x89PNG")


def test_data_without_classes_is_refused_by_a_game_that_is_told_them(tmp_path: Path) -> None:
    def unlabelled(params: Params, split: str) -> Data:
        return replace(pictures(params, split), y=torch.full((40,), -1))

    with pytest.raises(StageFailed, match="without a class"):
        play(tmp_path, unlabelled)
