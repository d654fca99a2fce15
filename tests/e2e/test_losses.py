"""Workers that die in mid-work, on the real command line and on Ray."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Start = Callable[..., "subprocess.Popen[str]"]
Write = Callable[..., Path]

ATTACK = """
  net:
    uses: train/erm
    in: {data: digits.fit}
    with: {model: {uses: linear}, epochs: 1}
  attack:
    uses: attack/deadly
    in: {model: net.model, data: digits.final}
    with: {epsilon: 0.1, chunk: 5, diary: DIARY, once: ONCE}
"""
DATA = 'data: {digits: {uses: digits, splits: {fit: "train[:100]", final: "test[:40]"}}}'


def metrics(output: str) -> dict[str, dict[str, object]]:
    return {row["cell"]: row for row in json.loads(output)}


@pytest.mark.ray
def test_a_lost_worker_costs_its_step_and_its_chunk(workspace: Path, write_pipeline: Write, advorch: Start) -> None:
    walk = (
        "  walk:\n    uses: train/walk\n    retry: {max: 1, on: [node_lost]}\n"
        f"    with: {{steps: 4, trouble: lost, once: {workspace}/walked, diary: {workspace}/steps}}\n"
    )
    attack = ATTACK.replace("DIARY", str(workspace / "chunks")).replace("ONCE", str(workspace / "died"))
    path = write_pipeline(walk + attack, head=DATA)
    run = advorch("pipeline", "run", path, "-o", "json")
    out, complaint = run.communicate(timeout=110)
    assert run.returncode == 0, complaint
    steps = [line.split()[1] for line in (workspace / "steps").read_text().splitlines()]
    assert steps == ["1", "2", "2", "3", "4"]
    assert (workspace / "died").exists()
    chunks = (workspace / "chunks").read_text().splitlines()
    assert 8 < len(chunks) <= 10, f"8 chunks, and again only those that were in work: {chunks}"
    again = advorch("pipeline", "run", path, "-o", "json", "--force", "all", "--executor", "inline")
    inline, complaint = again.communicate(timeout=60)
    assert again.returncode == 0, complaint
    assert metrics(inline) == metrics(out), "the same numbers, undisturbed and in one process"
