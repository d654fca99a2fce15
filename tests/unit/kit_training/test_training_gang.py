"""Two processes compute what one does: weights, losses and validation, with PGD, augmentation and a ragged batch."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

PARTS = (
    "sam",
    "awp",
    "descent-direction",
    "class-focused",
    "spectral-norm",
    "spectral-penalty",
    "ema",
    "free",
    "elle",
    "semi",
)
CASES = ("epoch", "norm", "step", *PARTS)
MEMBER = Path(__file__).with_name("training_member.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process, this one, and two ranks wrote for every case."""
    path = tmp_path_factory.mktemp("gang")
    members = [
        subprocess.Popen(
            [sys.executable, "-W", "error", str(MEMBER), ",".join(CASES), str(rank), "2", str(path)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    for case in CASES:
        member().main(case, 0, 1, path)
    errors = [process.communicate(timeout=100)[1] for process in members]
    assert [process.returncode for process in members] == [0, 0], "\n".join(errors)
    return path


def member() -> ModuleType:
    spec = importlib.util.spec_from_file_location("training_member", MEMBER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def weights(folder: Path, name: str) -> Tensor:
    return torch.cat([value.flatten() for _, value in sorted(load_file(folder / f"{name}.safetensors").items())])


def test_an_epoch_of_a_gang_is_an_epoch_of_one_process(folder: Path) -> None:
    one, first, second = (weights(folder, f"epoch-{name}") for name in ("1-0", "2-0", "2-1"))
    assert one.dtype is torch.float64
    assert torch.equal(first, second)
    assert float((one - first).abs().max()) <= 1e-9


def test_a_gang_reports_what_one_process_reports(folder: Path) -> None:
    one, first, second = (json.loads((folder / f"epoch-{name}.json").read_text()) for name in ("1-0", "2-0", "2-1"))
    assert first == second
    for alone, together in zip(one, first, strict=True):
        assert together == pytest.approx(alone, abs=1e-9)
    assert set(one[1]) == {"clean_accuracy", "robust_accuracy", "worst_class_accuracy"}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_in_a_gang_does_what_it_does_alone(folder: Path, name: str) -> None:
    one, first, second, plain = (
        weights(folder, tag) for tag in (f"{name}-1-0", f"{name}-2-0", f"{name}-2-1", "epoch-1-0")
    )
    assert torch.equal(first, second)
    assert float((one - first).abs().max()) <= 1e-9
    assert float((one - plain).abs().max()) > 1e-6


def test_the_first_gradient_in_single_precision(folder: Path) -> None:
    """At learning rate one and without momentum the first step is the gradient."""
    one, first = weights(folder, "step-1-0"), weights(folder, "step-2-0")
    assert float((one - first).abs().max()) <= 1e-5


def test_ranks_share_their_running_statistics_after_an_epoch(folder: Path) -> None:
    first, second = (load_file(folder / f"norm-2-{rank}.safetensors") for rank in (0, 1))
    assert torch.equal(first["1.running_mean"], second["1.running_mean"])
    assert torch.equal(first["1.running_var"], second["1.running_var"])
    assert int(first["1.num_batches_tracked"]) == 8  # four steps of two forward passes
    assert not torch.equal(first["1.running_mean"], torch.zeros(3))
