"""Defences around a model, on handwritten digits: written down, built again, attacked by who knows of them and not."""

import csv
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from advorch.artifacts import Artifact, DataInput, Outcome, StoredInput
from advorch.errors import ErrorClass, StageFailed
from advorch.hosts import training
from advorch.kit.inputs import open_data, open_model
from advorch.registry.discovery import discover
from advorch.registry.registry import Registry
from advorch.testing.fakes import FakeContext

EPSILON = 0.15


@pytest.fixture(scope="module")
def registry() -> Registry:
    torch.set_num_threads(1)
    return discover()


class Desk:
    """Runs stages one after the other, each in a folder of its own."""

    def __init__(self, folder: Path, registry: Registry) -> None:
        self.folder, self.registry, self.count = folder, registry, 0

    def context(self, **inputs: Any) -> FakeContext:
        self.count += 1
        ports = {name: given if isinstance(given, tuple) else (given,) for name, given in inputs.items()}
        scratch = self.folder / str(self.count)
        scratch.mkdir()
        return FakeContext(scratch=scratch, components=self.registry, inputs=ports)

    def run(self, uses: str, values: dict[str, Any], **inputs: Any) -> Outcome:
        component, context = self.registry.component(uses), self.context(**inputs)
        params = component.schema().parse(values)
        if component.family == "objective":
            return training.run(context, component, params)
        if component.family == "stage":
            outcome: Outcome = component.load()(context, params)
            return outcome
        job = import_module(component.host).open_job(context, component, params)
        parts = [job.map(start, min(start + job.chunk, job.count)) for start in range(0, job.count, job.chunk)]
        done: Outcome = job.reduce({name: torch.cat([part[name] for part in parts]) for name in parts[0]})
        return done

    def keep(self, outcome: Outcome, port: str) -> StoredInput:
        output = outcome.outputs[port]
        meta = {**output.meta, "number": self.count}
        return StoredInput(artifact=Artifact(type=output.type, files={}, meta=meta), folder=output.folder)

    def model(self, uses: str, values: dict[str, Any], **inputs: Any) -> StoredInput:
        return self.keep(self.run(uses, values, **inputs), "model")


def digits(split: str) -> DataInput:
    return DataInput(uses="digits", params={}, split=split, digest=split)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"), registry)


@pytest.fixture(scope="module")
def plain(desk: Desk) -> StoredInput:
    values = {"model": {"uses": "mlp", "with": {"hidden": [64]}}, "epochs": 15, "lr": 3e-3}
    return desk.model("train/erm", values, data=digits("train"))


PGD = {"epsilon": EPSILON, "steps": 20}


def accuracy(desk: Desk, model: StoredInput, attack: str = "pgd", **values: Any) -> float:
    settings = PGD | {"samples": 120} | values
    return desk.run(f"attack/{attack}", settings, model=model, data=digits("test")).metrics["robust_accuracy"]


def test_a_naive_attack_finds_bit_depth_robust_and_bpda_does_not(desk: Desk, plain: StoredInput) -> None:
    test = digits("test")
    naive = desk.model("defend/transformed", {"bits": 3}, model=plain, data=test)
    aware = desk.model("defend/transformed", {"bits": 3, "backward": "identity"}, model=plain, data=test)
    assert accuracy(desk, naive) > 0.8
    assert accuracy(desk, aware) < accuracy(desk, plain) + 0.15


def verdicts(desk: Desk, model: StoredInput, attack: str, split: str, **values: Any) -> dict[str, str]:
    """What the sanity checks say of a model that this attack was run against."""
    test = digits(split)
    seen = desk.keep(
        desk.run(f"attack/{attack}", {"epsilon": EPSILON, "steps": 10} | values, model=model, data=test), "adversarial"
    )
    few = {"epsilon": EPSILON, "samples": 20, "draws": 10, "steps": 5}
    card = desk.run("evaluate/sanity", few, models=(model,), attacks=(seen,), data=test)
    with (card.outputs["table"].folder / "checks.csv").open() as lines:
        return {row["check"]: row["verdict"] for row in csv.DictReader(lines)}


def test_the_sanity_checks_catch_a_transformation_without_a_gradient(desk: Desk, plain: StoredInput) -> None:
    found = verdicts(desk, desk.model("defend/transformed", {"bits": 3}, model=plain), "pgd", "test[:20]")
    assert found["S10"] == "fail", "its gradient is zero"
    assert found["S15"] == "fail", "rounding, and nothing stands in for it"


def test_the_sanity_checks_see_that_a_vote_draws(desk: Desk, plain: StoredInput) -> None:
    vote = desk.model("defend/smoothing", {"sigma": 0.3, "draws": 4}, model=plain)
    assert verdicts(desk, vote, "pgd", "test[:20]")["S12"] == "fail"
    assert verdicts(desk, vote, "eot-pgd", "test[:20]", draws=4)["S12"] == "pass"


def test_a_transformation_around_a_transformation_is_built_again(desk: Desk, plain: StoredInput) -> None:
    once = desk.model("defend/transformed", {"jpeg": 60}, model=plain)
    twice = desk.model("defend/transformed", {"bits": 4}, model=once)
    context = desk.context(model=twice, data=digits("test[:20]"))
    opened, data = open_model(context, twice), open_data(context, context.inputs["data"][0])
    inner = open_model(context, once)
    assert torch.equal(opened.module(data.x), inner.module((data.x * 15).round() / 15))
    assert opened.label == "transformed(bits 4) transformed(jpeg 60) erm mlp"
    assert opened.access is inner.access


def test_a_surrounded_architecture_is_trained_as_any_other(desk: Desk) -> None:
    inner = {"uses": "transformed", "with": {"bits": 4, "inner": {"uses": "linear"}}}
    made = desk.model("train/erm", {"model": inner, "epochs": 2}, data=digits("train"))
    context = desk.context(data=digits("test[:20]"))
    x = open_data(context, context.inputs["data"][0]).x
    module = open_model(context, made).module
    assert torch.equal(module(x), module((x * 15).round() / 15))
    again = desk.model("train/erm", {"epochs": 1}, data=digits("train"), model=made)
    assert open_model(context, again).label == "erm transformed"


def test_a_smoothed_model_draws_and_is_measured_under_a_seed(desk: Desk, plain: StoredInput) -> None:
    outcome = desk.run("defend/smoothing", {"sigma": 0.3, "draws": 4}, model=plain, data=digits("test"))
    assert 0.5 < outcome.metrics["clean_accuracy"] <= 1
    made = desk.keep(outcome, "model")
    context = desk.context()
    module = open_model(context, made).module
    x = torch.rand(4, 1, 8, 8)
    assert not torch.equal(module(x), module(x))
    same = desk.run("defend/smoothing", {"sigma": 0.3, "draws": 4}, model=plain, data=digits("test"))
    assert same.metrics == outcome.metrics, "what is measured is seeded"


def test_a_certificate_of_a_stored_model(desk: Desk, plain: StoredInput) -> None:
    values = {"sigma": 0.25, "n0": 20, "n": 200, "timed": 0}
    found = desk.run("evaluate/certificate", values, models=(plain,), data=digits("test[:40]"))
    assert 0 < found.metrics["certified_accuracy"] <= found.metrics["clean_accuracy"] + 0.1
    assert found.metrics["largest_radius"] == pytest.approx(0.25 * 1.82, abs=0.01)
    rows = (found.outputs["table"].folder / "certified_accuracy.csv").read_text().splitlines()[1:]
    shares = [float(row.split(",")[2]) for row in rows]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == found.metrics["certified_accuracy"]


def test_a_detector_knows_its_attack_and_not_who_knows_of_it(desk: Desk, plain: StoredInput) -> None:
    attack = {"uses": "pgd", "with": PGD}
    train, test = digits("train"), digits("test[:200]")
    refusing = desk.model("defend/detector", {"attack": attack, "epochs": 40}, model=plain, data=train)
    known = desk.keep(desk.run("attack/pgd", PGD, model=plain, data=test), "adversarial")
    adaptive = desk.keep(desk.run("attack/pgd", PGD | {"steps": 60}, model=refusing, data=test), "adversarial")
    found = desk.run("evaluate/detection", {}, models=(refusing,), attacks=(known, adaptive), data=test)
    assert found.metrics["auroc"] > 0.9
    assert found.metrics["false_alarms"] < 0.12
    assert found.metrics["evaded"] < 0.15
    assert found.metrics["evaded_adaptive"] > found.metrics["evaded"] + 0.25
    page = (found.outputs["report"].folder / "report.html").read_text()
    assert "No attack knew of the detector" not in page


def test_squeezing_refuses_no_more_clean_samples_than_it_may(desk: Desk, plain: StoredInput) -> None:
    values = {"squeezers": [{"bits": 2}, {"blur": 0.7}], "false_alarms": 0.1}
    found = desk.run("defend/squeezing", values, model=plain, data=digits("train"))
    assert 0 < found.metrics["false_alarms"] <= 0.1
    made = desk.keep(found, "model")
    assert accuracy(desk, made, steps=5) > 0


def test_a_detector_needs_something_to_detect(desk: Desk, plain: StoredInput) -> None:
    values = {"attack": {"uses": "pgd", "with": {"epsilon": 1e-4, "steps": 2}}, "samples": 50}
    with pytest.raises(StageFailed, match="fools the model on too few samples") as caught:
        desk.run("defend/detector", values, model=plain, data=digits("train"))
    assert caught.value.error_class is ErrorClass.USER


def test_evaluations_that_know_nothing_of_refusals_say_so(desk: Desk, plain: StoredInput) -> None:
    made = desk.model("defend/squeezing", {}, model=plain, data=digits("train[:100]"))
    judge = partial(desk.run, "evaluate/robustness", {}, data=digits("test[:20]"))
    with pytest.raises(StageFailed, match="may refuse to answer") as caught:
        judge(models=(made,))
    assert caught.value.error_class is ErrorClass.USER
    attacked = desk.keep(
        desk.run("attack/fgsm", {"epsilon": 0.1}, model=plain, data=digits("test[:20]")), "adversarial"
    )
    with pytest.raises(StageFailed, match="never refuses"):
        desk.run("evaluate/detection", {}, models=(plain,), attacks=(attacked,), data=digits("test[:20]"))


def test_data_of_another_kind_is_refused(desk: Desk, plain: StoredInput) -> None:
    moons = DataInput(uses="moons", params={}, split="train", digest="m")
    with pytest.raises(StageFailed, match="the data has"):
        desk.run("defend/smoothing", {}, model=plain, data=moons)


def test_a_model_that_draws_is_judged_alike_twice(desk: Desk, plain: StoredInput) -> None:
    vote = desk.model("defend/smoothing", {"sigma": 0.6, "draws": 1}, model=plain)
    judge = partial(desk.run, "evaluate/robustness", {"chunk": 64}, models=(vote,), data=digits("test[:150]"))
    assert judge().metrics == judge().metrics
