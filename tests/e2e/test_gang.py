"""A gang of two under Ray Train against one process: the same training, to rounding."""

from pathlib import Path

import pytest

import advorch
from advorch.artifacts import ArtifactType
from advorch.session.result import Run
from advorch.session.running import Options
from advorch.session.workspace import Workspace

PIPELINE = """
version: 1
name: gang
seed: 5
tracking: {mlflow: false}
data:
  digits: {uses: digits, splits: {fit: "train[:203]", select: "train[203:300]"}}
stages:
  net:
    uses: defend/adversarial
    in: {data: digits.fit, validation: digits.select}
    with:
      model: {uses: mlp, with: {hidden: [32]}}
      epochs: 1
      batch: 50
      precision: fp64
      alpha: 0.25
      attack: {uses: pgd, with: {epsilon: 0.1, steps: 3}}
      validate_with: {uses: pgd, with: {epsilon: 0.1, steps: 2}}
    resources: {workers: WORKERS}
"""


def run(workspace: Path, workers: int, executor: str) -> Run:
    path = workspace / f"gang-{workers}.yaml"
    path.write_text(PIPELINE.replace("WORKERS", str(workers)))
    planned = advorch.load(path, workspace=Workspace(workspace / f"home-{workers}")).plan()
    return planned.run(Options(executor=executor, quiet=True)).check()  # type: ignore[arg-type]


@pytest.mark.long
@pytest.mark.ray
def test_two_ranks_train_what_one_process_trains(workspace: Path) -> None:
    from safetensors.torch import load_file

    alone, gang = run(workspace, 1, "inline"), run(workspace, 2, "ray")
    weights = [load_file(done.open("net", ArtifactType.MODEL) / "weights.safetensors") for done in (alone, gang)]
    assert weights[0].keys() == weights[1].keys()
    for name, tensor in weights[0].items():
        # weights are stored in fp32, so the fp64 difference shows as at most one rounding
        assert (tensor - weights[1][name]).abs().max() <= 1e-7 * tensor.abs().max(), name
    assert alone.metrics["net"]["loss"] == pytest.approx(gang.metrics["net"]["loss"], rel=1e-9)
    assert alone.metrics["net"]["robust_accuracy"] == gang.metrics["net"]["robust_accuracy"]
