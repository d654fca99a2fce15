"""A perturbation from its fit to the reports, through plan, store and engine."""

from pathlib import Path

import pytest

import advorch
from advorch.session.running import Options

PIPELINE = """\
version: 1
name: universal
data:
  digits: {uses: digits, splits: {fit: train, unseen: test}}
tracking: {mlflow: {enabled: false}}
stages:
  net:
    uses: train/erm
    in: {data: digits.fit}
    with: {model: {uses: mlp}, epochs: 8, lr: 0.005}
  vector:
    uses: attack/universal
    in: {model: net.model, data: digits.fit}
    with: {epsilon: 0.3, method: sgd, steps: 60, samples: 500, until: 1.0}
  put-on:
    uses: attack/apply
    in: {model: net.model, data: digits.unseen, perturbation: vector.perturbation}
    with: {epsilon: 0.3}
  fooling:
    uses: evaluate/fooling
    in: {models: net.model, perturbations: vector.perturbation, data: digits.unseen}
  report:
    uses: evaluate/robustness
    in: {models: net.model, attacks: put-on.adversarial, data: digits.unseen}
"""


def test_a_vector_that_was_fitted_to_some_digits_fools_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ADVORCH_HOME", str(tmp_path / "home"))
    (tmp_path / "universal.yaml").write_text(PIPELINE, encoding="utf-8")
    pipeline = advorch.load(tmp_path / "universal.yaml")
    run = pipeline.plan().run(Options(executor="inline", quiet=True)).check()
    metrics = run.metrics
    assert metrics["vector"]["size"] <= 0.3 * (1 + 1e-6)
    assert metrics["fooling"]["fooling_rate"] > metrics["fooling"]["control_rate"] + 0.2
    # The attack stage leaves alone what was wrong before; on the others both see the same labels.
    right, robust = metrics["put-on"]["clean_accuracy"], metrics["put-on"]["robust_accuracy"]
    assert robust == pytest.approx(metrics["report"]["robust_accuracy"])
    assert right - robust <= metrics["fooling"]["fooling_rate"] + 1e-9
    again = pipeline.plan().run(Options(executor="inline", quiet=True)).check()
    assert {status.value for status in again.statuses.values()} == {"cached"}
