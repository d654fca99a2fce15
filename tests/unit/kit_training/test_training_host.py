"""The host from ports to artifacts, on digits."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from advorch.artifacts import Outcome
from advorch.components import AnyStageComponent, Objective
from advorch.errors import ErrorClass, StageFailed, Stopped
from advorch.hosts import stage, training
from advorch.kit.inputs import open_data, open_model
from advorch.kit.training.attacks import NamedAttacks
from advorch.kit.training.ranks import Ranks
from advorch.kit.training.validation import Validator
from advorch.params import AttackRef
from advorch_builtins.defenses.catalog import ADVERSARIAL
from advorch_builtins.training.catalog import ERM, PRETRAINED, SAM

MLP = {"uses": "mlp", "with": {"hidden": [64]}}
PGD = {"uses": "pgd", "with": {"epsilon": 0.15, "steps": 5}}
QUICK = {"model": MLP, "epochs": 2, "batch": 64}


def train(desk: Any, component: AnyStageComponent = ERM, **values: object) -> Outcome:
    return training.run(desk, component, component.schema().parse(QUICK | values))


@pytest.fixture
def digits(desk: Any, declared: Any) -> Any:
    """A desk with digits to train on and to validate with."""
    desk.inputs = {"data": declared.data(split="train[:400]"), "validation": declared.data(split="train[1200:]")}
    return desk


def weights(outcome: Outcome) -> bytes:
    return (outcome.outputs["model"].folder / "weights.safetensors").read_bytes()


def test_an_mlp_learns_digits_in_seconds(desk: Any, declared: Any) -> None:
    desk.inputs = {"data": declared.data(split="train")}
    desk.inputs |= {"model": declared.stored(train(desk, epochs=15, lr=0.003), "model")}
    opened, test = open_model(desk, desk.inputs["model"][0]), open_data(desk, declared.data(split="test")[0])
    assert Validator(test, 512, seed=0).measure(opened.module, Ranks())["clean_accuracy"] > 0.95
    assert opened.label == "erm mlp"


def test_adversarial_training_withstands_what_plain_training_does_not(desk: Any, declared: Any, tmp_path: Path) -> None:
    test = open_data(desk, declared.data(split="test")[0])
    judge = NamedAttacks(desk.lookup, test.box)(AttackRef.parse(PGD | {"with": {"epsilon": 0.15, "steps": 10}}), "eval")
    robust = {}
    for component, values in ((ERM, {}), (ADVERSARIAL, {"attack": PGD})):
        desk.inputs, desk.committed = {"data": declared.data(split="train")}, []
        desk.scratch = tmp_path / component.name
        outcome = train(desk, component, epochs=12, lr=0.003, **values)
        opened = open_model(desk, declared.stored(outcome, "model")[0])
        robust[component.name] = Validator(test, 512, seed=0, attack=judge).measure(opened.module, Ranks())
    assert robust["adversarial"]["robust_accuracy"] > robust["erm"]["robust_accuracy"] + 0.2
    assert robust["adversarial"]["clean_accuracy"] > 0.85


def test_reports_and_final_metrics(digits: Any) -> None:
    outcome = train(digits, validate_with=PGD)
    assert [step for step, _ in digits.reports] == [1, 2]
    reported = {"loss", "accuracy", "clean_accuracy", "robust_accuracy", "worst_class_accuracy"}
    assert set(digits.reports[0][1]) == reported | {"images_per_second"}
    assert dict(outcome.metrics) == {name: digits.reports[1][1][name] for name in reported} | {"epochs": 2.0}
    assert set(outcome.metrics) <= ERM.metrics


def test_the_same_stage_gives_the_same_bytes(digits: Any, tmp_path: Path) -> None:
    first = weights(train(digits))
    torch.manual_seed(99)
    digits.committed.clear()
    digits.scratch = tmp_path / "again"
    assert weights(train(digits)) == first


def test_parts_join_by_name_and_their_label_tells(digits: Any, declared: Any, tmp_path: Path) -> None:
    parts = [{"uses": "ema", "with": {"decay": 0.9}}, {"uses": "orthogonal", "with": {"lambda": 0.01}}]
    outcome = train(digits, parts=parts)
    assert open_model(digits, declared.stored(outcome, "model")[0]).label == "erm+ema+orthogonal mlp"
    assert digits.reports[1][1]["orthogonality"] > 0
    digits.scratch, digits.committed = tmp_path / "plain", []
    assert weights(outcome) != weights(train(digits))


def test_a_stage_brings_the_part_that_it_is_called_after(digits: Any, tmp_path: Path) -> None:
    by_stage = train(digits, SAM, rho=0.1)
    digits.scratch, digits.committed = tmp_path / "by part", []
    assert weights(by_stage) == weights(train(digits, parts=[{"uses": "sam", "with": {"rho": 0.1}}]))
    digits.scratch, digits.committed = tmp_path / "both", []
    with pytest.raises(StageFailed, match="two parts want to decide how weights move"):
        train(digits, SAM, parts=[{"uses": "awp"}])


def test_the_epoch_that_serves_the_worst_class_best_is_kept(digits: Any) -> None:
    outcome = train(digits, epochs=6, keep="worst-class", lr=0.01)
    scores = [metrics["worst_class_accuracy"] for _, metrics in digits.reports]
    assert outcome.metrics["worst_class_accuracy"] == max(scores)
    assert outcome.metrics["clean_accuracy"] == digits.reports[scores.index(max(scores))][1]["clean_accuracy"]


@pytest.mark.parametrize("stop_after", [1, 2])
def test_a_stopped_stage_goes_on_where_it_was(digits: Any, tmp_path: Path, stop_after: int) -> None:
    values = {"attack": PGD, "epochs": 2, "keep": "best", "model": {"uses": "maxout", "with": {"units": 20}}}
    undisturbed = train(digits, ADVERSARIAL, **values)
    expected = weights(undisturbed)
    digits.scratch, digits.committed, digits.reports = tmp_path / "again", [], []
    digits.stop_after = stop_after
    with pytest.raises(Stopped):
        train(digits, ADVERSARIAL, **values)
    digits.stop_after, digits.scratch = None, tmp_path / "later"
    outcome = train(digits, ADVERSARIAL, **values)
    assert [step for step, _ in digits.reports] == [1, 2]
    assert outcome.metrics == undisturbed.metrics
    assert weights(outcome) == expected


def test_checkpoints_come_when_due_and_at_the_end(digits: Any) -> None:
    train(digits, epochs=5, checkpoint_every=2)
    assert [path.name for path in digits.committed] == ["2", "4", "5"]
    assert not list(digits.scratch.glob("checkpoint-*"))


def test_patience_ends_training_and_best_is_kept(digits: Any) -> None:
    outcome = train(digits, epochs=30, patience=1, keep="best", lr=0.3)
    assert outcome.metrics["epochs"] < 30
    scores = [metrics["clean_accuracy"] for _, metrics in digits.reports]
    assert outcome.metrics["clean_accuracy"] == max(scores)
    assert len(scores) == outcome.metrics["epochs"]


def test_a_connected_model_is_trained_further(digits: Any, declared: Any, tmp_path: Path) -> None:
    first = train(digits)
    digits.inputs |= {"model": declared.stored(first, "model")}
    digits.committed, digits.scratch = [], tmp_path / "further"
    settings = ADVERSARIAL.schema().parse({"attack": PGD, "epochs": 1, "lr": 1e-12})
    outcome = training.run(digits, ADVERSARIAL, settings)
    before, after = (open_model(digits, declared.stored(item, "model")[0]) for item in (first, outcome))
    assert after.label == "adversarial(pgd) mlp"
    assert torch.allclose(before.module.get_parameter("2.weight"), after.module.get_parameter("2.weight"), atol=1e-6)
    train(digits, model=MLP, epochs=1)
    with pytest.raises(StageFailed, match="`model: linear` is not what is connected, which is 'mlp'"):
        train(digits, model={"uses": "linear"})


@pytest.mark.parametrize(
    ("values", "drop", "fault"),
    [
        ({"model": None}, (), "has no model to train"),
        ({"keep": "best"}, ("validation",), "`keep: best` needs validation data"),
        ({"keep": "worst-class"}, ("validation",), "`keep: worst-class` needs validation data"),
        ({"patience": 3}, ("validation",), "`patience` needs validation data"),
        ({"validate_with": PGD}, ("validation",), "`validate_with` needs validation data"),
        ({}, ("data",), "train/erm needs data"),
        ({"model": {"uses": "lenet"}}, (), "model 'lenet' takes images of at least 16x16"),
    ],
)
def test_what_cannot_work_is_one_line(
    digits: Any, values: dict[str, object], drop: tuple[str, ...], fault: str
) -> None:
    digits.inputs = {name: items for name, items in digits.inputs.items() if name not in drop}
    with pytest.raises(StageFailed, match=fault) as caught:
        train(digits, **values)
    assert caught.value.error_class is ErrorClass.USER


def test_validation_data_must_be_of_the_same_kind(digits: Any, declared: Any) -> None:
    digits.inputs |= {"validation": declared.data(uses="moons", split="test")}
    with pytest.raises(StageFailed, match=r"port 'validation' is of shape \(2,\) with 2 classes"):
        train(digits)


def test_a_double_precision_run_hands_over_single_precision(digits: Any) -> None:
    outcome = train(digits, precision="fp64", validate_with=PGD)
    header = weights(outcome)[8:200]
    assert b"F32" in header
    assert b"F64" not in header


def test_unlabelled_samples_reach_the_objective(digits: Any, declared: Any) -> None:
    seen = []

    def loss(step: Any, params: Any) -> Tensor:
        seen.append(step.unlabelled.x.shape)
        return (step.model(step.x).logsumexp(1)).mean()

    digits.inputs |= {"unlabelled": declared.data(split="train[400:500]")}
    component = Objective(name="probe", summary="", params=ERM.params, load=lambda: loss)
    train(digits, component, epochs=1)
    assert set(seen) == {(64, 1, 8, 8)}


def test_a_pretrained_model_is_wrapped_with_its_own_weights(digits: Any, declared: Any, tmp_path: Path) -> None:
    trained = train(digits, model={"uses": "linear"}).outputs["model"].folder
    ref = {
        "uses": "imported",
        "with": {
            "target": "torch.nn:Sequential",
            "weights": str(trained / "weights.safetensors"),
            "access": "scores",
        },
    }
    with pytest.raises(StageFailed, match="does not fit the architecture"):
        stage.run(digits, PRETRAINED, PRETRAINED.schema().parse({"model": ref}))


def test_a_pretrained_model_says_how_it_does(digits: Any, declared: Any) -> None:
    settings = PRETRAINED.schema().parse({"model": {"uses": "linear"}})
    outcome = stage.run(digits, PRETRAINED, settings)
    record = json.loads((outcome.outputs["model"].folder / "model.json").read_text())
    assert (record["label"], record["component"]) == ("pretrained linear", "model/linear")
    opened = open_model(digits, declared.stored(outcome, "model")[0])
    data = open_data(digits, digits.inputs["data"][0])
    right = (opened.module(data.x).argmax(1) == data.y).double()
    worst = min(float(right[data.y == label].mean()) for label in range(10))
    wanted = {"clean_accuracy": float(right.mean()), "worst_class_accuracy": worst}
    assert outcome.metrics == pytest.approx(wanted)


def test_a_model_carries_the_record_of_its_training(digits: Any, declared: Any, tmp_path: Path) -> None:
    digits.stop_after = 1
    with pytest.raises(Stopped):
        train(digits, epochs=3)
    digits.stop_after, digits.scratch = None, tmp_path / "later"
    opened = open_model(digits, declared.stored(train(digits, epochs=3), "model")[0])
    reported = [{**metrics} for _, metrics in digits.reports]
    assert [set(metrics) - {"images_per_second"} for metrics in reported] == [set(epoch) for epoch in opened.history]
    assert [metrics["loss"] for metrics in reported] == [epoch["loss"] for epoch in opened.history]


def test_a_label_of_ones_own(digits: Any, declared: Any) -> None:
    opened = open_model(digits, declared.stored(train(digits, epochs=1, label="without batch norm"), "model")[0])
    assert opened.label == "without batch norm"
    assert train(digits, epochs=1).outputs["model"].meta["label"] == "erm mlp"
