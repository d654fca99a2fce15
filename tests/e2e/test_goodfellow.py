"""The order of errors in Goodfellow et al. 2015, section 6, at the scale of `--profile quick`."""

from pathlib import Path

import pytest

import advorch
from advorch.session.result import Run
from advorch.session.running import Options

PIPELINE = Path(__file__).parents[2] / "pipelines/goodfellow.yaml"


def error(run: Run, attack: str, model: str) -> float:
    return 1 - run.metrics[f"attack[name={attack},model={model}]"]["robust_accuracy"]


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_fgsm_training_helps_against_fgsm_and_training_on_noise_does_not(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVORCH_DATA", str(data_folder))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ADVORCH_HOME", raising=False)
    pipeline = advorch.load(PIPELINE, profile="quick", overrides=["tracking.mlflow=false"])
    run = pipeline.plan().run(Options(executor="inline", quiet=True)).check()
    under_fgsm = {model: error(run, "fgsm", model) for model in ("plain", "mixed", "noise", "signs")}
    assert under_fgsm["plain"] > 0.6
    assert under_fgsm["mixed"] < 0.5 * under_fgsm["plain"], "training on FGSM examples helps against them"
    for control in ("noise", "signs"):
        assert under_fgsm[control] > 0.6, "as far from the samples, and no help"
        assert error(run, "uniform-noise", control) < 0.15, "though it is no worse at what it was trained on"
    assert error(run, "uniform-noise", "plain") < 0.5 * under_fgsm["plain"], "the direction counts, not the size"
    clean = run.table("report").set_index("model")["clean accuracy"]
    assert (clean > 0.94).all(), "all four have learnt the digits"
    notes = run.report("report").with_name("findings.json").read_text()
    assert "1,000 of 10,000 samples" in notes
