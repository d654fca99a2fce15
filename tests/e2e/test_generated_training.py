"""Generated samples in a whole run: drawn, mixed with data, trained on; and a generator attacked through its codes."""

from pathlib import Path

import pytest

import advorch
from advorch.session.running import Options

PIPELINE = """
version: 1
name: generated
data:
  digits: {uses: digits, splits: {fit: "train[:200]", final: "test[:40]"}}
stages:
  generator:
    uses: generate/aae-style
    in: {data: digits.fit}
    with: {hidden: [16], critic: [16], latent: 3, steps: 20, batch: 32, samples: 20}
  drawn: {uses: generate/sample, in: {generator: generator.generator}, with: {samples: 50}}
  mixed: {uses: generate/mix, in: {data: [digits.fit, drawn.samples]}}
  net:
    uses: defend/adversarial
    in: {data: mixed.data}
    with: {model: {uses: linear}, epochs: 1, attack: {uses: fgsm, with: {epsilon: 0.05}}}
  attack: {uses: attack/fgsm, in: {model: net.model, data: digits.final}, with: {epsilon: 0.05}}
  behind:
    uses: generate/compose
    in: {generator: generator.generator, model: net.model}
    with: {class: 3, samples: 20}
  through: {uses: attack/fgsm, in: {model: behind.model, data: behind.codes}, with: {norm: l2, epsilon: 1.0}}
  found: {uses: generate/decode, in: {generator: generator.generator, codes: through.adversarial}, with: {class: 3}}
  codes: {uses: evaluate/codes, in: {generators: [generator.generator], data: digits.final}}
  styles: {uses: evaluate/styles, in: {generators: [generator.generator], models: [net.model], data: digits.final}}
"""


def test_generated_samples_feed_robust_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "generated.yaml").write_text(PIPELINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ADVORCH_HOME", raising=False)
    pipeline = advorch.load(tmp_path / "generated.yaml", overrides=["tracking.mlflow=false"])
    run = pipeline.plan().run(Options(executor="inline", quiet=True)).check()
    assert run.metrics["mixed"]["samples"] == 250
    assert 0 <= run.metrics["attack"]["robust_accuracy"] <= run.metrics["attack"]["clean_accuracy"]
    assert run.metrics["through"]["clean_accuracy"] == pytest.approx(run.metrics["behind"]["agreement"])
    assert {"same_law", "probe"} <= run.metrics["codes"].keys()
    assert run.figures("styles")
