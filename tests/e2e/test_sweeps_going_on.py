"""Sweeps that are made longer, stopped, killed or damaged go on where they were."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lab_sweeps import drawn, run, statuses, steps, sweep, trials

from advorch.errors import StoreError
from advorch.store.opening import open_store
from advorch.tuning.journal import Journal

Write = Callable[..., Path]


def test_a_longer_search_goes_on_and_what_follows_an_old_winner_is_not_run_again(
    workspace: Path, write_pipeline: Write
) -> None:
    run(write_pipeline(sweep(workspace, 4)))
    first, walked = drawn(workspace), steps(workspace)
    assert walked == 4 * 3
    again = run(write_pipeline(sweep(workspace, 4)))
    assert set(statuses(again).values()) == {"cached"}
    longer = run(write_pipeline(sweep(workspace, 9)))
    assert drawn(workspace)[:4] == first
    assert len(drawn(workspace)) == 9
    assert steps(workspace) == 9 * 3
    best = longer.metrics["best"]["best_trial"]
    assert statuses(longer) == {"best": "done", "after": "cached" if best < 4 else "done"}
    other = workspace / "other"
    other.mkdir()
    os.chdir(other)
    run(write_pipeline(sweep(other, 9)))
    assert drawn(other) == drawn(workspace), "a search that was gone on with draws what one in one go draws"


@pytest.mark.parametrize("algorithm", ["random", "tpe"])
def test_a_driver_that_is_killed_goes_on_where_it_was(workspace: Path, write_pipeline: Write, algorithm: str) -> None:
    text = sweep(workspace, 12).replace("algorithm: random", f"algorithm: {algorithm}")
    path = write_pipeline(text.replace("steps: 3", "steps: 3, pause: 0.02"))
    script = "from advorch.cli.app import main; main()"
    command = [sys.executable, "-c", script, "pipeline", "run", str(path), "--executor", "inline"]
    process = subprocess.Popen(command, cwd=workspace, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while steps(workspace) < 14 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = steps(workspace)
    assert 14 <= before < 30
    done = run(path)
    assert done.exit_code == 0
    assert len(trials(workspace)) == 12
    assert before + steps(workspace) - before <= 12 * 3 + 1, "at most the step that was under way is walked twice"
    other = workspace / "other"
    other.mkdir()
    os.chdir(other)
    undisturbed = run(path)
    assert drawn(other) == drawn(workspace)
    assert outputs(other) == outputs(workspace)
    assert undisturbed.metrics["best"] == done.metrics["best"]
    assert undisturbed.metrics["after"] == done.metrics["after"]


def test_a_run_that_is_stopped_stops_its_trials_and_goes_on_later(workspace: Path, write_pipeline: Write) -> None:
    path = write_pipeline(sweep(workspace, 8).replace("steps: 3", "steps: 3, pause: 0.05"))
    stopped = run(path, deadline=0.6)
    assert stopped.exit_code == 7
    assert statuses(stopped)["best"] == "stopped"
    before = steps(workspace)
    assert 0 < before < 8 * 3
    done = run(path)
    assert done.exit_code == 0
    assert len(trials(workspace)) == 8
    assert steps(workspace) == 8 * 3, "a trial that was under way goes on from its checkpoint"


def test_what_a_trial_reads_from_outside_is_computed_again_when_it_is_damaged(
    workspace: Path, write_pipeline: Write
) -> None:
    text = f"""
  base: {{uses: train/walk, with: {{steps: 2, diary: {workspace / "diary"}}}}}
  best:
    tune:
      space: {{start: {{uniform: [0, 1]}}}}
      objective: {{metric: sum.total, goal: maximize}}
      search: {{algorithm: random, trials: 3}}
    stages:
      walk: {{uses: train/walk, seed: 1, with: {{steps: 1, start: "${{trial.start}}"}}}}
      sum: {{uses: evaluate/join, in: {{tables: [base.table, walk.table]}}}}
    out: {{table: sum.table}}
"""
    run(write_pipeline(text))
    stored = next(path for path in (workspace / ".advorch" / "store").rglob(f"*{digest_of_base(workspace)[4:]}*"))
    stored.chmod(0o644)
    stored.write_bytes(b"x" * stored.stat().st_size)
    done = run(write_pipeline(text.replace("trials: 3", "trials: 5")))
    assert done.exit_code == 0
    assert steps(workspace) == 2 * 2


def test_a_shorter_search_has_the_winner_of_its_own_trials(workspace: Path, write_pipeline: Write) -> None:
    short = run(write_pipeline(sweep(workspace, 2)))
    os.environ["ADVORCH_HOME"] = str(workspace / "long")
    try:
        run(write_pipeline(sweep(workspace, 12)))
        again = run(write_pipeline(sweep(workspace, 2)))
    finally:
        del os.environ["ADVORCH_HOME"]
    assert again.metrics["best"] == short.metrics["best"]


def test_what_cannot_be_written_down_ends_the_search_once(
    workspace: Path, write_pipeline: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, calls = Journal._commit, []

    def failing(journal: Journal) -> None:
        calls.append(journal)
        if len(calls) == 2:
            raise StoreError("no space left")
        commit(journal)

    monkeypatch.setattr(Journal, "_commit", failing)
    assert run(write_pipeline(sweep(workspace, 4).replace("random", "tpe"))).exit_code
    assert len(calls) == 2
    done = run(write_pipeline(sweep(workspace, 5).replace("random", "tpe")))
    assert done.exit_code == 0
    assert len(trials(workspace)) == 5


def outputs(workspace: Path) -> dict[str, dict[str, str]]:
    """What every key came to, by content."""
    manifests = open_store(str(workspace / ".advorch" / "store")).manifests()
    return {one.key: {port: found.digest for port, found in one.outputs.items()} for one in manifests}


def digest_of_base(workspace: Path) -> str:
    manifests = open_store(str(workspace / ".advorch" / "store")).manifests()
    base = next(found for found in manifests if (found.parts.get("params") or {}).get("steps") == 2)  # type: ignore[union-attr]
    return next(iter(base.outputs["table"].files.values())).digest


def test_a_damaged_journal_loses_what_came_after_and_nothing_else(workspace: Path, write_pipeline: Write) -> None:
    run(write_pipeline(sweep(workspace, 4)))
    records = sorted((workspace / ".advorch" / "store").rglob("000000002*"))
    assert records, "the third end of the search"
    records[0].write_bytes(b"torn")
    done = run(write_pipeline(sweep(workspace, 6)))
    assert done.exit_code == 0
    assert len(trials(workspace)) == 6
    assert steps(workspace) == 6 * 3, "the cells themselves are in the store"


def test_force_searches_again(workspace: Path, write_pipeline: Write) -> None:
    path = write_pipeline(sweep(workspace, 3))
    run(path)
    run(path, force=frozenset({"best"}))
    assert steps(workspace) == 2 * 3 * 3
