"""The process is killed at every durable operation in turn; run again, nothing differs and nothing is done twice."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HARNESS = Path(__file__).with_name("crash_harness.py")

FITS = """
  a:
    uses: train/walk
    with: {steps: 3, diary: diary}
  b:
    uses: train/walk
    seed: 1
    with: {steps: 2, diary: diary}
  sum:
    uses: evaluate/join
    in: {tables: [a.table, b.table]}
"""

MAPS = """
  net:
    uses: train/erm
    in: {data: digits.fit}
    with: {model: {uses: linear}, epochs: 1}
  noise:
    uses: attack/deadly
    in: {model: net.model, data: digits.final}
    with: {epsilon: 0.1, chunk: 5, diary: diary}
"""
DATA = 'data: {digits: {uses: digits, splits: {fit: "train[:60]", final: "test[:15]"}}}'


def deaths(path: Path, workspace: Path, step: int) -> list[dict[str, Any]]:
    command = [sys.executable, str(HARNESS), str(path), str(step)]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(records: list[dict[str, Any]]) -> None:
    calm, *after = records
    assert len(after) >= 5
    for record in after:
        assert record["died"] == 42, f"{record['at']} was never reached"
        assert record["code"] == 0
        assert record["outputs"] == calm["outputs"], f"killed at operation {record['number']}, {record['at']}"
        again, once = Counter(record["diary"]), Counter(calm["diary"])
        assert set(again) == set(once)
        extra = (again - once).total()
        assert extra <= 1, f"killed at {record['at']}, more than the step in progress was computed twice: {again}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("stages", "head"), [(FITS, ""), (MAPS, DATA)], ids=["fits", "maps"])
def test_a_death_at_some_durable_operations(
    workspace: Path, write_pipeline: Callable[..., Path], stages: str, head: str
) -> None:
    check(deaths(write_pipeline(stages, head=head), workspace, step=7 if not head else 13))


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("stages", "head"), [(FITS, ""), (MAPS, DATA)], ids=["fits", "maps"])
def test_a_death_at_every_durable_operation(
    workspace: Path, write_pipeline: Callable[..., Path], stages: str, head: str
) -> None:
    check(deaths(write_pipeline(stages, head=head), workspace, step=1))
