"""What adversarial autoencoders must reach at the scale of `--profile quick`."""

from pathlib import Path

import pytest

import advorch
from advorch.session.result import Run
from advorch.session.running import Options

PIPELINES = Path(__file__).parents[2] / "pipelines"

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]


@pytest.fixture(autouse=True)
def _elsewhere(data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVORCH_DATA", str(data_folder))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ADVORCH_HOME", raising=False)


def finished(name: str) -> Run:
    pipeline = advorch.load(PIPELINES / f"{name}.yaml", profile="quick", overrides=["tracking.mlflow=false"])
    return pipeline.plan().run(Options(executor="inline", quiet=True)).check()


def test_sentences_change_their_sentiment_and_keep_some_words() -> None:
    run = finished("arae-yelp")
    transfer = run.metrics["transfer"]
    assert transfer["judge_accuracy"] >= 0.9
    assert transfer["flipped"] >= 0.85
    assert transfer["overlap"] >= 0.30, "a decoder that passes over its input would change every class"
    assert transfer["copied"] < 0.2
    language = run.metrics["language"]
    assert language["unique"] >= 0.5
    assert language["empty"] < 0.01


def test_generated_digits_are_right_and_no_copies_and_leave_much_out() -> None:
    run = finished("augment-robust")
    assert run.metrics["agreement"]["agreement"] >= 0.9
    assert run.metrics["memory"]["memory_ratio"] >= 0.8
    assert run.metrics["memory"]["memory_share"] <= 0.03
    fidelity = run.metrics["fidelity"]
    assert fidelity["recall"] < 0.5 * fidelity["recall_floor"]
    assert fidelity["frechet"] > 3 * fidelity["frechet_floor"]
    through = run.metrics["through_codes"]
    assert through["robust_accuracy"] < through["clean_accuracy"]


def test_a_hundred_labels_are_worth_more_with_the_game_and_labels_shape_codes() -> None:
    run = finished("aae-mnist")
    alone = 1 - run.metrics["baseline"]["clean_accuracy"]
    assert run.metrics["errors"]["error"] <= 0.15
    assert run.metrics["errors"]["error"] <= 0.65 * alone
    codes = run.table("codes").set_index("generator")
    shaped = codes[codes.index.str.startswith("aae-shaped")]
    assert (shaped["nearest class"] >= 0.75).all()
    assert codes.loc["aae", "energy"] < codes.loc["vae", "energy"]
    assert run.metrics["walk"]["largest_step"] <= 5
