"""Sweeps over the lab's walks, inline: who wins, what is computed and handed on, what goes on where it stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import advorch
from advorch.engine.driver import Policy
from advorch.errors import InvalidPipeline
from advorch.events import CellFinished, CellStarted
from advorch.session.result import Run
from advorch.session.running import Options
from advorch.store.opening import open_store
from advorch.tracking.journal import FILE, read

Write = Callable[..., Path]

# The random part of a walk is the same in every trial: the farther it starts, the farther it ends.
SWEEP = """
  best:
    tune:
      space: {start: {uniform: [0, 1]}}
      objective: {metric: walk.end, goal: maximize}
      search: {algorithm: random, trials: TRIALS, concurrency: 1}
      EXTRA
    stages:
      walk:
        uses: train/walk
        with: {steps: 3, start: "${trial.start}", diary: DIARY}
    out: {table: walk.table}
  after:
    uses: evaluate/join
    in: {tables: [best.table]}
"""


def run(path: Path, **policy: Any) -> Run:
    options = Options(executor="inline", quiet=True, policy=Policy(**policy))
    return advorch.load(path).plan().run(options)


def sweep(workspace: Path, trials: int = 5, extra: str = "") -> str:
    text = SWEEP.replace("TRIALS", str(trials)).replace("DIARY", str(workspace / "diary"))
    return text.replace("EXTRA", extra.replace("\n", "\n      ") if extra else "")


def statuses(done: Run) -> dict[str, str]:
    return {cell: status.value for cell, status in done.statuses.items()}


def steps(workspace: Path) -> int:
    path = workspace / "diary"
    return len(path.read_text().splitlines()) if path.exists() else 0


def trials(workspace: Path, which: int = -1) -> dict[str, CellFinished]:
    """How the trials of a run ended, by number; of the newest run."""
    folder = sorted((workspace / ".advorch" / "runs").iterdir())[which]
    events = [entry.event for entry in read(folder / FILE)]
    ends = {
        event.cell.split("/")[1]: event for event in events if isinstance(event, CellFinished) and "/" in event.cell
    }
    return {
        event.cell.split("/")[1]: event
        for event in events
        if isinstance(event, CellFinished) and event.component == "core/trial"
    } or ends


def drawn(workspace: Path, which: int = -1) -> list[Any]:
    return [trials(workspace, which)[str(number)].params for number in range(len(trials(workspace, which)))]


def test_the_outputs_of_a_sweep_are_those_of_its_winner(workspace: Path, write_pipeline: Write) -> None:
    done = run(write_pipeline(sweep(workspace)))
    assert statuses(done) == {"best": "done", "after": "done"}
    ends = {name: event.metrics["walk.end"] for name, event in trials(workspace).items()}
    starts = {name: event.params["start"] for name, event in trials(workspace).items()}
    assert len(ends) == 5
    assert len(set(ends.values())) == 5
    winner = max(ends, key=lambda name: ends[name])
    assert winner == max(starts, key=lambda name: float(str(starts[name])))
    assert done.metrics["best"]["walk.end"] == ends[winner] == done.metrics["after"]["total"]
    assert done.metrics["best"]["best_trial"] == float(winner)
    assert done.metrics["best"]["trial.start"] == starts[winner]


def test_a_stage_may_be_tuned_by_itself(workspace: Path, write_pipeline: Write) -> None:
    text = """
  best:
    uses: train/walk
    tune:
      space: {start: {grid: [3, 1, 2]}}
      objective: {metric: end, goal: minimize}
      search: {algorithm: grid}
    with: {steps: 2, start: "${trial.start}"}
  after:
    uses: evaluate/join
    when: ${best.end < 100}
    in: {tables: [best.table]}
"""
    done = run(write_pipeline(text))
    assert done.metrics["best"]["trial.start"] == 1
    assert done.metrics["after"]["total"] == done.metrics["best"]["end"]


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


def test_what_does_not_depend_on_a_trial_is_computed_once(workspace: Path, write_pipeline: Write) -> None:
    text = f"""
  best:
    tune:
      space: {{start: {{uniform: [0, 1]}}}}
      objective: {{metric: sum.total, goal: maximize}}
      search: {{algorithm: random, trials: 6}}
    stages:
      base:
        uses: train/walk
        with: {{steps: 4, diary: {workspace / "diary"}}}
      walk:
        uses: train/walk
        seed: 1
        with: {{steps: 1, start: "${{trial.start}}"}}
      sum: {{uses: evaluate/join, in: {{tables: [base.table, walk.table]}}}}
    out: {{table: sum.table}}
"""
    run(write_pipeline(text))
    assert steps(workspace) == 4
    assert len(trials(workspace)) == 6


def test_failed_trials_never_win(workspace: Path, write_pipeline: Write) -> None:
    text = sweep(workspace, 12).replace("diary:", "trouble: \"${'user' if trial.start > 0.5 else 'none'}\", diary:")
    done = run(write_pipeline(text))
    ends = trials(workspace)
    assert {event.status.value for event in ends.values()} == {"done", "failed"}
    good = [float(str(event.params["start"])) for event in ends.values() if event.status.value == "done"]
    assert done.metrics["best"]["trial.start"] == max(good) < 0.5
    assert "a bug of the user's" in next(event.message for event in ends.values() if event.status.value == "failed")


def test_a_search_in_which_everything_fails_says_why(workspace: Path, write_pipeline: Write) -> None:
    done = run(write_pipeline(sweep(workspace, 50).replace("diary:", "trouble: nan, diary:")))
    assert done.exit_code == 1
    assert statuses(done) == {"best": "failed", "after": "skipped"}
    assert len(trials(workspace)) == 10, "ten in a row are enough"
    assert "10 x walk: the loss is not a number" in str(done.errors["best"])


def test_a_winner_keeps_the_constraints(workspace: Path, write_pipeline: Write) -> None:
    run(write_pipeline(sweep(workspace, 12)))
    free = sorted(event.metrics["walk.end"] for event in trials(workspace).values())
    bound = (free[5] + free[6]) / 2
    done = run(write_pipeline(sweep(workspace, 12, f'constraints: ["walk.end <= {bound}"]')))
    assert done.metrics["best"]["walk.end"] == free[5]
    nobody = run(write_pipeline(sweep(workspace, 12, f'constraints: ["walk.end <= {free[0] - 1}"]')))
    assert nobody.exit_code == 1
    assert "no winner among 12 trials" in str(nobody.errors["best"])


ASHA = "scheduler: {type: asha, metric: walk.place, goal: maximize, time: step, max: 9, grace: 1, reduction: 3}"


def test_poor_trials_are_stopped_early_at_the_step_that_showed_it(workspace: Path, write_pipeline: Write) -> None:
    text = sweep(workspace, 12, ASHA).replace("steps: 3", "steps: 9")
    done = run(write_pipeline(text))
    ends = trials(workspace)
    stopped = [name for name, event in ends.items() if event.status.value == "pruned"]
    assert stopped
    full = sorted(float(str(event.params["start"])) for event in ends.values() if event.status.value == "done")
    assert done.metrics["best"]["trial.start"] == full[-1]
    assert max(float(str(ends[name].params["start"])) for name in stopped) <= full[-1]
    assert steps(workspace) < 12 * 9
    assert (steps(workspace) - 9 * len(full)) / len(stopped) <= 3, (
        "inline, a stop is obeyed at the step that brought it"
    )


def test_a_refit_has_seeds_of_its_own_and_hands_on_the_median(workspace: Path, write_pipeline: Write) -> None:
    text = sweep(workspace, 4, "promote: {refit: {seeds: 3, with: {walk.steps: 6}}}")
    done = run(write_pipeline(text))
    metrics = done.metrics["best"]
    ends = [metrics[f"refit.{seed}.walk.end"] for seed in (1, 2, 3)]
    assert len(set(ends)) == 3
    assert metrics["walk.end"] == sorted(ends)[1] == done.metrics["after"]["total"]
    assert metrics["refit.mean.walk.end"] == pytest.approx(sum(ends) / 3)
    assert steps(workspace) == 4 * 3 + 3 * 6
    two = run(write_pipeline(text.replace("seeds: 3", "seeds: 2")))
    assert two.metrics["best"]["walk.end"] == min(ends[:2]), "of two the worse, never the luckier"
    assert steps(workspace) == 4 * 3 + 3 * 6, "the seeds are the same ones"


def test_several_winners_enter_a_port_that_takes_many(workspace: Path, write_pipeline: Write) -> None:
    done = run(write_pipeline(sweep(workspace, 6, "promote: {select: {top_k: 3}}")))
    ends = sorted((event.metrics["walk.end"] for event in trials(workspace).values()), reverse=True)
    assert done.metrics["after"]["total"] == pytest.approx(sum(ends[:3]))
    assert done.metrics["best"]["walk.end"] == ends[0]


def test_of_several_objectives_all_whom_none_beats_in_everything_win(workspace: Path, write_pipeline: Write) -> None:
    text = """
  best:
    tune:
      space: {a: {choice: [0, 1, 2]}, b: {choice: [0, 1, 2]}}
      objective: [{metric: x.end, goal: maximize}, {metric: y.end, goal: minimize}]
      search: {algorithm: grid}
      promote: {select: pareto}
    stages:
      x: {uses: train/walk, with: {steps: 1, start: "${trial.a - trial.b}"}}
      y: {uses: train/walk, with: {steps: 1, start: "${trial.a}"}}
    out: {table: x.table}
  after: {uses: evaluate/join, in: {tables: [best.table]}}
"""
    done = run(write_pipeline(text))
    noise = trials(workspace)["0"].metrics["x.end"]
    assert done.metrics["after"]["total"] == pytest.approx(sum(a - 0 + noise for a in (0, 1, 2)))


def test_a_sweep_inside_a_sweep(workspace: Path, write_pipeline: Write) -> None:
    text = """
  outer:
    tune:
      space: {a: {grid: [1, 2, 3]}}
      objective: {metric: worst.walk.end, goal: maximize}
      search: {algorithm: grid}
    stages:
      worst:
        tune:
          space: {b: {grid: [0, 1]}}
          objective: {metric: walk.end, goal: minimize}
          search: {algorithm: grid}
        stages:
          walk: {uses: train/walk, with: {steps: 1, start: "${trial.a - trial.a * trial.b}"}}
        out: {table: walk.table}
    out: {table: worst.table}
"""
    done = run(write_pipeline(text))
    metrics = done.metrics["outer"]
    assert done.exit_code == 0
    assert metrics["worst.trial.b"] == 1
    assert metrics["worst.walk.end"] == pytest.approx(trials(workspace)["0"].metrics["worst.walk.end"])


def test_a_matrix_of_sweeps(workspace: Path, write_pipeline: Write) -> None:
    text = sweep(workspace, 3).replace("  best:\n", "  best:\n    matrix: {offset: [0, 10]}\n")
    text = text.replace("${trial.start}", "${trial.start + matrix.offset}").replace("[best.table]", '["best[*].table"]')
    done = run(write_pipeline(text))
    low, high = done.metrics["best[offset=0]"], done.metrics["best[offset=10]"]
    assert high["walk.end"] == pytest.approx(low["walk.end"] + 10)
    assert done.metrics["after"]["total"] == pytest.approx(low["walk.end"] + high["walk.end"])


def test_a_population_goes_on_from_the_checkpoints_of_the_best(workspace: Path, write_pipeline: Write) -> None:
    rule = "type: pbt, metric: walk.place, goal: maximize, time: step"
    pbt = f"scheduler: {{{rule}, max: 8, grace: 2, interval: 2, quantile: 0.5}}"
    text = sweep(workspace, 4, pbt).replace("steps: 3", "steps: 8").replace("concurrency: 1", "concurrency: 4")
    done = run(write_pipeline(text))
    assert done.exit_code == 0
    ends = {name: event.metrics["walk.end"] for name, event in trials(workspace).items()}
    assert done.metrics["best"]["walk.end"] == max(ends.values())
    again = run(write_pipeline(text))
    assert set(statuses(again).values()) == {"cached"}


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


def test_values_that_a_component_refuses_are_found_before_anything_runs(workspace: Path, write_pipeline: Write) -> None:
    path = write_pipeline(sweep(workspace).replace("steps: 3", 'steps: "${trial.start}"'))
    with pytest.raises(InvalidPipeline) as caught:
        advorch.load(path).plan()
    assert "steps" in caught.value.problems[0].message
    assert not (workspace / ".advorch" / "runs").exists()


def test_trials_are_a_table_that_a_stage_can_read(workspace: Path, write_pipeline: Write) -> None:
    done = run(write_pipeline(sweep(workspace, 3)))
    started = [event for event in trials(workspace).values() if isinstance(event, CellFinished | CellStarted)]
    table = done.artifact("best", "trials") if hasattr(done, "artifact") else None
    if table is not None:
        record = json.loads((Path(table) / "table.json").read_text())
        assert record["columns"][:4] == ["trial", "state", "rank", "start"]
    assert len(started) == 3
