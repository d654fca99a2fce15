import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from advorch.kit.adversary.gang import Gang

MEMBER = Path(__file__).with_name("gang_member.py")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two ranks saw."""
    folder = tmp_path_factory.mktemp("gang")
    ranks = [
        subprocess.Popen([sys.executable, str(MEMBER), str(rank), str(folder)], stderr=subprocess.PIPE, text=True)
        for rank in (0, 1)
    ]
    errors = [rank.communicate(timeout=100)[1] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], "\n".join(errors)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


def member() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gang_member", MEMBER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_ranks_end_with_the_same_weights_and_losses(seen: list[dict[str, Any]]) -> None:
    assert seen[0]["weights"] == seen[1]["weights"]
    assert seen[0]["losses"] == seen[1]["losses"]


def test_two_ranks_play_the_game_that_one_plays_alone(seen: list[dict[str, Any]]) -> None:
    weights, losses = member().played(seed=0, gang=Gang())
    torch.testing.assert_close(torch.tensor(seen[0]["weights"]), torch.tensor(weights), rtol=1e-4, atol=1e-6)
    assert seen[0]["losses"] == pytest.approx(losses, rel=1e-4)


def test_ranks_that_train_different_parameters_are_told_so(seen: list[dict[str, Any]]) -> None:
    assert all("take gradients differently" in rank["complaint"] for rank in seen)


def test_a_rank_without_its_group_is_refused() -> None:
    with pytest.raises(ValueError, match="process group"):
        Gang(0, 2)


def test_a_penalised_game_of_two_ranks_is_the_one_of_one(seen: list[dict[str, Any]]) -> None:
    alone = torch.tensor(member().played_with_penalty(seed=0, gang=Gang()))
    assert seen[0]["penalised"] == seen[1]["penalised"]
    torch.testing.assert_close(torch.tensor(seen[0]["penalised"]), alone, rtol=1e-4, atol=1e-6)


def test_a_loss_that_is_a_penalty_alone_has_the_gradient_of_one_process(seen: list[dict[str, Any]]) -> None:
    alone = torch.tensor(member().averaged(Gang()))
    assert seen[0]["penalty"] == seen[1]["penalty"]
    torch.testing.assert_close(torch.tensor(seen[0]["penalty"]), alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", ["penalty alone", "static graph"])
def test_the_check_finds_what_a_wrapper_leaves_apart(case: str, seen: list[dict[str, Any]]) -> None:
    """DistributedDataParallel synchronises neither, and says nothing."""
    assert all("hold different gradients" in rank[case] for rank in seen)


def test_the_check_lets_equal_gradients_pass(seen: list[dict[str, Any]]) -> None:
    assert [rank["with scores"] for rank in seen] == ["", ""]
