"""Ctrl-C once and twice, kill -9, and two runs at once, on the real command line."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Start = Callable[..., "subprocess.Popen[str]"]
Write = Callable[..., Path]

WALK = "  a:\n    uses: train/walk\n    with: {steps: 8, pause: 0.4, diary: diary}\n"


def wait_for_steps(workspace: Path, steps: int, process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 60
    while len(diary(workspace)) < steps:
        assert time.monotonic() < until, "the walk did not start"
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def diary(workspace: Path) -> list[str]:
    path = workspace / "diary"
    return [line.split()[1] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize("executor", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_the_first_interrupt_stops_with_six_and_the_next_run_goes_on(
    workspace: Path, write_pipeline: Write, advorch: Start, executor: str
) -> None:
    path = write_pipeline(WALK.replace("diary: diary", f"diary: {workspace / 'diary'}"))
    first = advorch("pipeline", "run", path, "--executor", executor)
    wait_for_steps(workspace, 2, first)
    first.send_signal(signal.SIGINT)
    _, complaint = first.communicate(timeout=60)
    assert first.returncode == 6, complaint
    before = len(diary(workspace))
    assert before < 8
    second = advorch("pipeline", "run", path, "--executor", "inline")
    out, complaint = second.communicate(timeout=60)
    assert second.returncode == 0, complaint
    assert diary(workspace) == ["1", "2", "3", "4", "5", "6", "7", "8"], "no step twice"
    assert "done" in out


def test_the_second_interrupt_kills(workspace: Path, write_pipeline: Write, advorch: Start) -> None:
    path = write_pipeline(WALK.replace("0.4", "20").replace("diary: diary", f"diary: {workspace / 'diary'}"))
    process = advorch("pipeline", "run", path, "--executor", "inline")
    wait_for_steps(workspace, 1, process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130


@pytest.mark.parametrize("executor", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_killed_driver_is_taken_over_from_its_last_checkpoint(
    workspace: Path, write_pipeline: Write, advorch: Start, executor: str
) -> None:
    path = write_pipeline(WALK.replace("diary: diary", f"diary: {workspace / 'diary'}"))
    first = advorch("pipeline", "run", path, "--executor", executor)
    wait_for_steps(workspace, 3, first)
    first.kill()
    first.communicate()
    second = advorch("pipeline", "run", path, "--executor", "inline")
    _, complaint = second.communicate(timeout=90)
    assert second.returncode == 0, complaint
    steps = diary(workspace)
    assert sorted(set(steps)) == ["1", "2", "3", "4", "5", "6", "7", "8"]
    again = [step for step in set(steps) if steps.count(step) > 1]
    assert not {"1", "2"} & set(again), f"what was committed is not done again: {steps}"


def test_two_runs_at_once_compute_each_key_once(workspace: Path, write_pipeline: Write, advorch: Start) -> None:
    path = write_pipeline(WALK.replace("diary: diary", f"diary: {workspace / 'diary'}"))
    both = [advorch("pipeline", "run", path, "--executor", "inline") for _ in range(2)]
    outputs = [process.communicate(timeout=90) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert diary(workspace) == ["1", "2", "3", "4", "5", "6", "7", "8"]


def test_no_wait_leaves_with_nine(workspace: Path, write_pipeline: Write, advorch: Start) -> None:
    path = write_pipeline(WALK.replace("diary: diary", f"diary: {workspace / 'diary'}"))
    first = advorch("pipeline", "run", path, "--executor", "inline")
    wait_for_steps(workspace, 1, first)
    second = advorch("pipeline", "run", path, "--executor", "inline", "--no-wait")
    _, complaint = second.communicate(timeout=60)
    assert second.returncode == 9, complaint
    first.communicate(timeout=60)


@pytest.mark.parametrize("executor", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_run_stop_ends_a_run_with_six(workspace: Path, write_pipeline: Write, advorch: Start, executor: str) -> None:
    path = write_pipeline(
        WALK.replace("steps: 8", "steps: 60").replace("diary: diary", f"diary: {workspace / 'diary'}")
    )
    run = advorch("pipeline", "run", path, "--executor", executor)
    wait_for_steps(workspace, 2, run)
    stop = advorch("run", "stop", "last")
    _, complaint = stop.communicate(timeout=60)
    assert stop.returncode == 0, complaint
    _, complaint = run.communicate(timeout=60)
    assert run.returncode == 6, complaint
    assert "stopping" in complaint


def test_a_cell_that_had_to_wait_is_stopped_like_any_other(
    workspace: Path, write_pipeline: Write, advorch: Start
) -> None:
    second = WALK.replace("  a:", "  b:").replace("steps: 8", "steps: 40").replace("0.4", "0.2")
    first = WALK.replace("steps: 8", "steps: 1").replace("0.4", "0.1")
    both = (first + second).replace("    with", "    limits: {license: 1}\n    with")
    path = write_pipeline(both.replace("diary: diary", f"diary: {workspace / 'diary'}"), head="limits: {license: 1}")
    run = advorch("pipeline", "run", path, "-j", "2", "--executor", "inline")
    wait_for_steps(workspace, 4, run)
    run.send_signal(signal.SIGTERM)
    _, complaint = run.communicate(timeout=60)
    assert run.returncode == 6, complaint
    assert len(diary(workspace)) < 20


def test_a_stage_that_exits_is_a_failure_and_not_the_end(
    workspace: Path, write_pipeline: Write, advorch: Start
) -> None:
    path = write_pipeline("  a:\n    uses: train/walk\n    with: {trouble: exit}\n")
    run = advorch("pipeline", "run", path, "--executor", "inline")
    _, complaint = run.communicate(timeout=60)
    assert run.returncode == 1, complaint
    assert "SystemExit" in complaint


def test_a_second_run_says_that_it_waits(workspace: Path, write_pipeline: Write, advorch: Start) -> None:
    path = write_pipeline(WALK.replace("diary: diary", f"diary: {workspace / 'diary'}"))
    first = advorch("pipeline", "run", path, "--executor", "inline")
    wait_for_steps(workspace, 1, first)
    second = advorch("pipeline", "run", path, "--executor", "inline")
    _, complaint = second.communicate(timeout=60)
    assert second.returncode == 0, complaint
    assert "waits for another run" in complaint
    first.communicate(timeout=60)
