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

STAGES = """
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


def deaths(path: Path, workspace: Path, step: int) -> list[dict[str, Any]]:
    command = [sys.executable, str(HARNESS), str(path), str(step)]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(records: list[dict[str, Any]]) -> None:
    calm, *after = records
    assert len(after) > 15
    for record in after:
        assert record["died"] == 42, f"{record['at']} was never reached"
        assert record["code"] == 0
        assert record["outputs"] == calm["outputs"], f"killed at operation {record['number']}, {record['at']}"
        again = Counter(record["diary"])
        assert set(again) == set(calm["diary"])
        twice = [line for line, count in again.items() if count > 1]
        assert len(twice) <= 1, f"killed at {record['at']}, more than the step in progress was computed twice: {twice}"


@pytest.mark.timeout(600)
def test_a_death_at_a_durable_operation_loses_at_most_the_step_in_progress(
    workspace: Path, write_pipeline: Callable[..., Path]
) -> None:
    check(deaths(write_pipeline(STAGES), workspace, step=4))


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_death_at_every_durable_operation(workspace: Path, write_pipeline: Callable[..., Path]) -> None:
    check(deaths(write_pipeline(STAGES), workspace, step=1))
