"""Nodes that die in the middle of a sweep: its trials are driven again, and the winner is the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Raylets = Callable[..., Any]

PIPELINE = """
stages:
  best:
    tune:
      space: {start: {uniform: [0, 1]}}
      objective: {metric: walk.end, goal: maximize}
      search: {algorithm: random, trials: 9}
    stages:
      walk:
        uses: train/walk
        with: {steps: 6, start: "${trial.start}", pause: 0.3, diary: DIARY/steps}
    out: {table: walk.table}
  after: {uses: evaluate/join, in: {tables: [best.table]}}
"""
TRIALS, STEPS = 9, 6


def text(folder: Path, address: str) -> str:
    return f"address: {address}\n{PIPELINE.replace('DIARY', str(folder))}"


def lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.timeout(400)
def test_a_node_dies_under_a_trial(raylets: Raylets, runs: Any, tmp_path: Path) -> None:
    steps = tmp_path / "steps"
    nodes = raylets({"num_cpus": 0}, *[{"num_cpus": 1}] * 3)
    disturbed = runs.start(runs.write(text(tmp_path, nodes.address)))
    runs.until(disturbed, lambda: lines(steps) >= 2 * STEPS)
    nodes.order("kill_busy", "WarmWorker.fit")
    runs.finish(disturbed, 0)
    walked = lines(steps)
    assert walked - TRIALS * STEPS in range(4), "a trial goes on from its checkpoint, on another node"
    calm = runs.start(runs.write(text(tmp_path, nodes.address)), "--executor", "inline", home="calm")
    runs.finish(calm, 0)
    assert runs.outputs() == runs.outputs("calm")
    assert len(runs.outputs()) == TRIALS + 2
