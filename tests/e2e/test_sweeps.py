"""Sweeps over the lab's walks, inline: who wins, what is computed, what is handed on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from lab_sweeps import run, statuses, steps, sweep, trials

import advorch
from advorch.errors import InvalidPipeline

Write = Callable[..., Path]


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


def test_values_that_a_component_refuses_are_found_before_anything_runs(workspace: Path, write_pipeline: Write) -> None:
    path = write_pipeline(sweep(workspace).replace("steps: 3", 'steps: "${trial.start}"'))
    with pytest.raises(InvalidPipeline) as caught:
        advorch.load(path).plan()
    assert "steps" in caught.value.problems[0].message
    assert not (workspace / ".advorch" / "runs").exists()
