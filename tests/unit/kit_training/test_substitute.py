"""A copy learnt from labels: how many are asked for, what it is worth, and that a crash changes nothing."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from advorch.artifacts import ArtifactType, Outcome
from advorch.errors import Stopped
from advorch.hosts import training
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import run_attack
from advorch.kit.attack.victim import Victim
from advorch.kit.codecs import write_data
from advorch.kit.data import Data
from advorch.kit.inputs import OpenModel, open_data, open_model
from advorch.testing.fakes import LinearModel
from advorch.threat import Access, Norm
from advorch_builtins.attacks.catalog import SIGN_NOISE
from advorch_builtins.attacks.catalog_black_box import TRANSFER
from advorch_builtins.training.catalog import ERM
from advorch_builtins.training.catalog_substitute import SUBSTITUTE
from advorch_builtins.training.substitute import _rise, run

MLP = {"uses": "mlp", "with": {"hidden": [48]}}


@pytest.fixture
def bench(desk: Any, declared: Any, tmp_path: Path) -> Any:
    """A desk with a trained model to copy, and a hundred samples to begin with."""
    desk.inputs = {"data": declared.data(split="train[:900]")}
    trained = training.run(desk, ERM, ERM.schema().parse({"model": {"uses": "linear"}, "epochs": 12, "lr": 0.003}))
    desk.inputs = {
        "model": declared.stored(trained, "model"),
        "data": declared.data(split="train[900:1000]"),
        "validation": declared.data(split="test"),
    }
    desk.reports, desk.committed, desk.scratch = [], [], tmp_path / "copy"
    return desk


def copied(bench: Any, **values: Any) -> Outcome:
    return run(bench, SUBSTITUTE.params.parse({"model": MLP, "epochs": 20, "lr": 0.005, "rounds": 4} | values))


def weights(outcome: Outcome) -> bytes:
    return (outcome.outputs["model"].folder / "weights.safetensors").read_bytes()


def test_samples_double_and_the_copy_agrees_more_with_every_round(bench: Any) -> None:
    outcome = copied(bench)
    assert [metrics["queries"] for _, metrics in bench.reports] == [100, 200, 400, 800]
    agreement = [metrics["agreement"] for _, metrics in bench.reports]
    assert outcome.metrics["agreement"] == agreement[-1] > agreement[0] + 0.03
    assert agreement[-1] > 0.75
    assert outcome.metrics.keys() == SUBSTITUTE.metrics
    assert not list(bench.scratch.glob("round-*"))


def test_what_fools_the_copy_fools_the_model(bench: Any, declared: Any) -> None:
    """Much more often than noise of the same size does, and the model is asked nothing any more."""
    oracle = open_model(bench, bench.inputs["model"][0])
    copy = open_model(bench, declared.stored(copied(bench), "model")[0])
    assert copy.access is Access.GRADIENTS
    assert copy.label == "substitute mlp of erm linear"
    data = open_data(bench, declared.data(split="test[:120]")[0])
    by_copy = success(TRANSFER, oracle, data, surrogates=(copy.module,))
    by_noise = success(SIGN_NOISE, oracle, data)
    assert by_copy > 0.5
    assert by_copy > by_noise + 0.3


def success(attack: Any, oracle: OpenModel, data: Data, **options: Any) -> float:
    access = attack.threat.access
    victim = Victim(oracle.module, box=data.box, norm=Norm.LINF, epsilon=0.2, access=access, **options)
    result = run_attack(attack.load(), victim, data.x, data.y, attack.params(), Draws(0, data.ids))
    return float(result.success.double().mean())


def test_true_labels_are_not_looked_at(bench: Any, declared: Any, tmp_path: Path) -> None:
    expected = weights(copied(bench))
    known = open_data(bench, bench.inputs["data"][0])
    unknown = Data(x=known.x, y=torch.full_like(known.y, -1), ids=known.ids, classes=known.classes, box=known.box)
    write_data(tmp_path / "unknown", unknown)
    bench.inputs |= {"data": (declared.folder(tmp_path / "unknown", ArtifactType.DATASET),)}
    bench.scratch, bench.committed = tmp_path / "again", []
    assert weights(copied(bench)) == expected


def test_it_goes_on_where_it_was_stopped(bench: Any, tmp_path: Path) -> None:
    expected = copied(bench, model={"uses": "mlp", "with": {"hidden": [48], "dropout": 0.3}})
    undisturbed = weights(expected)
    bench.scratch, bench.committed, bench.reports, bench.stop_after = tmp_path / "again", [], [], 2
    with pytest.raises(Stopped):
        copied(bench, model={"uses": "mlp", "with": {"hidden": [48], "dropout": 0.3}})
    bench.stop_after = None
    outcome = copied(bench, model={"uses": "mlp", "with": {"hidden": [48], "dropout": 0.3}})
    assert [step for step, _ in bench.reports] == [1, 2, 3, 4]
    assert weights(outcome) == undisturbed
    assert outcome.metrics == expected.metrics


def test_a_round_asks_for_no_more_than_it_may(bench: Any) -> None:
    copied(bench, most=50, rounds=3)
    assert [metrics["queries"] for _, metrics in bench.reports] == [100, 150, 200]


@pytest.mark.parametrize("scale", [30.0, 1000.0])
def test_new_samples_lie_the_same_way_however_certain_the_copy_is(scale: float) -> None:
    """A softmax that rounds to one forgets the label, and then everything: new samples would be the old ones."""
    x = torch.randn(60, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    net = LinearModel(6, 2).double()
    y = net(x).argmax(1)
    expected = _rise(net, x, y).sign()
    with torch.no_grad():
        net.weight *= scale
        net.bias *= scale
    assert torch.equal(_rise(net.float(), x.float(), y).sign().double(), expected)


def test_new_samples_are_lambda_away_in_the_box_and_change_sides(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an agreeable stand-in for the slope, every step can be told."""
    module = "advorch_builtins.training.substitute"
    monkeypatch.setattr(f"{module}._rise", lambda net, x, y: torch.ones_like(x))
    steps: list[Tensor] = []
    seen = f"{module}._Study.train"
    monkeypatch.setattr(seen, lambda study: steps.append(study.x.clone()))
    copied(bench, rounds=4, period=1, **{"lambda": 0.3})
    first = steps[0]
    assert torch.equal(steps[1][100:], (first + 0.3).clamp(0, 1))
    assert torch.equal(steps[2][200:], (steps[1] - 0.3).clamp(0, 1))
    assert torch.equal(steps[3][400:], (steps[2] + 0.3).clamp(0, 1))
