"""The example distribution, unchanged, as its users have it: installed, checked, attacking, defending, cached."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from advorch.testing.distributions import write_distribution

EXAMPLE = Path(__file__).parents[2] / "plugins" / "advorch-example"

PIPELINE = """\
version: 1
name: example
data:
  moons: {uses: moons, with: {n: 128, n_test: 32}, splits: {fit: train, final: test}}
tracking: {mlflow: {enabled: false}}
stages:
  plain:
    uses: train/erm
    in: {data: moons.fit}
    with: {model: {uses: mlp}, epochs: 1}
  robust:
    uses: defend/adversarial
    in: {data: moons.fit}
    with: {model: {uses: mlp}, epochs: 1, attack: {uses: smoothed-pgd, with: {epsilon: 0.1, steps: 2, draws: 2}}}
  attack:
    uses: attack/smoothed-pgd
    in: {model: robust.model, data: moons.final}
    with: {epsilon: 0.1, norm: l2, steps: 3}
"""


class Site:
    """A folder with a copy of the example and its metadata, and the command line that sees it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(EXAMPLE, root / "copy", ignore=shutil.ignore_patterns("__pycache__"))
        entry_points = {"advorch-example": "advorch_example"}
        write_distribution(root / "copy", "advorch-example", entry_points=entry_points, version="0.1.0")

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        path = os.pathsep.join([str(self.root / "copy"), *(entry for entry in sys.path if entry)])
        home = {"ADVORCH_HOME": str(self.root / "home"), "OMP_NUM_THREADS": "1", "ADVORCH_STRICT_PLUGINS": "1"}
        return subprocess.run(
            [sys.executable, "-c", "from advorch.cli.app import main; main()", *arguments],
            env={**os.environ, "PYTHONPATH": path, **home},
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "example.yaml").write_text(PIPELINE, encoding="utf-8")
    return Site(tmp_path)


def test_the_example_passes_its_own_check(site: Site) -> None:
    done = site.run("plugin", "check", "advorch-example", "-o", "ndjson")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    verdicts = {row["check"]: row["verdict"] for row in rows}
    assert verdicts["imports nothing heavy and fast"] == "ok"
    assert verdicts["stays in box and ball to one ulp"] == "ok"
    assert "broken" not in verdicts.values()


def test_the_example_attacks_defends_and_is_cached_by_its_own_code(site: Site) -> None:
    done = site.run("pipeline", "run", "example.yaml", "--executor", "inline", "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    cells = {row["cell"]: row for row in json.loads(done.stdout)}
    assert {row["status"] for row in cells.values()} == {"done"}
    assert cells["attack"]["robust_accuracy"] <= cells["attack"]["clean_accuracy"]
    assert states(site) == {"plain": "cached", "robust": "cached", "attack": "cached"}

    work = site.root / "copy" / "advorch_example" / "attack.py"
    work.write_text(work.read_text(encoding="utf-8").replace("REACH = 2.5", "REACH = 2.0"), encoding="utf-8")
    changed = states(site)
    assert changed.pop("plain") == "cached"
    assert "cached" not in changed.values()


def states(site: Site) -> dict[str, str]:
    done = site.run("pipeline", "plan", "example.yaml", "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    return {row["cell"]: row["state"] for row in json.loads(done.stdout)}
