"""`advorch sweep` over the lab's walks: what it shows, how it goes on, what it pins, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import advorch as api
from advorch.events import CellStarted
from advorch.session.running import Options
from advorch.spec.pins import lock_file
from advorch.tracking.journal import Journal
from advorch.tracking.liveness import write_driver

Call = Callable[..., Any]
Write = Callable[..., Path]

# The farther a walk starts, the farther it ends; one trial of the grid fails.
GRID = """
  best:
    tune:
      space:
        start: {grid: [3, 1, 4, 2]}
        trouble: {choice: [none]}
      objective: {metric: walk.end, goal: maximize}
      constraints: ["walk.end < 1000"]
      search: {algorithm: grid, trials: TRIALS, concurrency: 1}
      EXTRA
    stages:
      walk:
        uses: train/walk
        with: {steps: 3, start: "${trial.start}", trouble: "${'user' if trial.start == 2 else trial.trouble}"}
    out: {table: walk.table}
  after:
    uses: evaluate/join
    in: {tables: [best.table]}
"""


def grid(trials: int = 4, extra: str = "") -> str:
    return GRID.replace("TRIALS", str(trials)).replace("EXTRA", extra)


@pytest.fixture
def call(workspace: Path, command_line: Call) -> Call:
    return command_line


@pytest.fixture
def searched(call: Call, write_pipeline: Write) -> Path:
    """A pipeline whose sweep has run: trial 2 started farthest, trial 3 failed."""
    path = write_pipeline(grid())
    answer = run(call, path)
    assert (answer.code, answer.err) == (0, ""), "one trial fails, and that is no failure of the run"
    return path


def run(call: Call, path: Path, *more: str) -> Any:
    return call("pipeline", "run", path, "--executor", "inline", "-q", "-o", "json", *more)


def ends(answer: Any) -> dict[str, Any]:
    return {row["cell"]: (row["status"], row.get("total")) for row in json.loads(answer.out)}


def test_show_tells_how_far_it_is_and_what_comes_next(call: Call, write_pipeline: Write) -> None:
    path = write_pipeline(grid())
    new = call("sweep", "show", path)
    assert new.code == 0
    assert "not begun" in new.out
    assert f"advorch pipeline run {path}" in new.err
    run(call, path)
    [row] = json.loads(call("sweep", "show", path, "-o", "json").out)
    assert (row["state"], row["done"], row["pruned"], row["failed"], row["running"]) == ("done", 3, 0, 1, 0)
    assert (row["trial"], row["values"]["start"], row["spent"]["trials"]) == (2, 4, 4.0)
    shown = call("sweep", "show", path)
    assert "4/4" in shown.out
    assert f"advorch sweep extend {path} best --trials +20" in shown.err
    longer = call("sweep", "show", path, "-S", "stages.best.tune.search.trials=9")
    assert "interrupted" in longer.out
    assert f"advorch pipeline run {path} -S stages.best.tune.search.trials=9" in longer.err


def test_trials_stand_in_order_of_rank(call: Call, searched: Path) -> None:
    rows = json.loads(call("sweep", "trials", searched, "-o", "json").out)
    assert [(row["trial"], row["rank"], row["state"]) for row in rows] == [
        (2, 1, "done"), (0, 2, "done"), (1, 3, "done"), (3, None, "failed"),
    ]  # fmt: skip
    assert rows[0]["values"] == {"start": 4, "trouble": "none"}
    assert rows[0]["walk.end"] == rows[0]["metrics"]["walk.end"]
    lines = call("sweep", "trials", searched, "--sort=-start", "-n", "2", "-o", "ndjson").out.splitlines()
    assert [json.loads(line)["trial"] for line in lines] == [2, 0]
    table = call("sweep", "trials", searched).out.splitlines()
    assert table[0].split()[:5] == ["trial", "state", "rank", "start", "trouble"]
    wrong = call("sweep", "trials", searched, "--sort", "stat")
    assert (wrong.code, "did you mean 'state'" in wrong.err) == (2, True)


def test_best_can_be_pasted_into_a_stage(call: Call, searched: Path, write_pipeline: Write) -> None:
    [row] = json.loads(call("sweep", "best", searched, "-o", "json").out)
    assert (row["rank"], row["trial"], row["pinned"]) == (1, 2, False)
    pasted = f"""
  walk: {{uses: train/walk, with: {json.dumps(row["with"]["walk"])}}}
  after: {{uses: evaluate/join, in: {{tables: [walk.table]}}}}
"""
    answer = run(call, write_pipeline(pasted, name="pasted.yaml"))
    assert ends(answer)["after"][1] == pytest.approx(row["metrics"]["walk.end"], abs=3)
    assert row["with"] == {"walk": {"steps": 3, "start": 4, "trouble": "none"}}


def test_best_of_a_search_that_has_not_begun_is_a_mistake(call: Call, write_pipeline: Write) -> None:
    answer = call("sweep", "best", write_pipeline(grid()))
    assert answer.code == 2
    assert answer.err.startswith("error: best has no winner yet\n")


def test_a_pinned_trial_is_handed_on_until_it_is_cleared(call: Call, searched: Path) -> None:
    won = ends(run(call, searched))
    assert {status for status, _ in won.values()} == {"cached"}
    answer = call("sweep", "promote", searched, "best", "--trial", "1")
    assert answer.code == 0
    assert lock_file(searched).name == "pipeline.lock.json"
    assert json.loads(lock_file(searched).read_text())["format"] == "lock/1"
    pinned = ends(run(call, searched))
    assert {status for status, _ in pinned.values()} == {"done"}
    assert pinned["after"][1] == pytest.approx(won["after"][1] - 3)
    assert {status for status, _ in ends(run(call, searched)).values()} == {"cached"}
    [row] = json.loads(call("sweep", "show", searched, "-o", "json").out)
    assert (row["pin"], row["trial"], row["state"]) == (1, 1, "done")
    assert "trial 1 is pinned and handed on" in call("sweep", "show", searched).err
    assert json.loads(call("sweep", "best", searched, "-o", "json").out)[0]["pinned"] is True
    assert call("sweep", "promote", searched, "--clear").code == 0
    assert not lock_file(searched).exists()
    assert ends(run(call, searched)) == won


def test_pinning_the_winner_changes_no_result_that_follows(call: Call, searched: Path) -> None:
    call("sweep", "promote", searched, "--trial", "2")
    assert {cell: status for cell, (status, _) in ends(run(call, searched)).items()} == {
        "best": "done",
        "after": "cached",
    }


def test_a_pinned_trial_is_refitted_where_the_file_says_so(call: Call, write_pipeline: Write) -> None:
    path = write_pipeline(grid(extra="promote: {refit: {seeds: 2, with: {walk.steps: 5}}}"))
    run(call, path)
    call("sweep", "promote", path, "--trial", "1")
    answer = run(call, path)
    assert answer.code == 0
    events = [json.loads(line) for line in journal(path).read_text().splitlines()]
    refits = [event for event in events if event.get("component") == "core/refit" and event["event"] == "cell_started"]
    assert [(event["cell"], event["params"]["start"]) for event in refits] == [
        ("best/refit-1-1", 1),
        ("best/refit-1-2", 1),
    ]


def journal(path: Path) -> Path:
    return sorted((path.parent / ".advorch" / "runs").iterdir())[-1] / "journal.jsonl"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--trial", "9"], "there is no trial 9 in this search: there are 0 to 3"),
        (["--trial", "3"], "trial 3 failed: walk: "),
        ([], "promote takes either --trial N or --clear"),
        (["--trial", "1", "--clear"], "promote takes either --trial N or --clear"),
        (["--clear"], "no trial is pinned in "),
        (["bets", "--trial", "1"], "has no sweep 'bets'"),
        (["--trial", "1", "-S", "stages.best.tune.space.start={grid: [1, 2]}"], "nothing was searched yet for 'best'"),
    ],
)
def test_what_promote_refuses_takes_a_line(call: Call, searched: Path, arguments: list[str], said: str) -> None:
    answer = call("sweep", "promote", searched, *arguments)
    assert answer.code == 2
    assert said in answer.err
    assert len(answer.err.splitlines()) <= 2
    assert not lock_file(searched).exists()


def test_a_pin_of_another_search_stops_the_run_with_a_line(call: Call, searched: Path) -> None:
    call("sweep", "promote", searched, "--trial", "1")
    searched.write_text(searched.read_text().replace("[3, 1, 4, 2]", "[3, 1, 4, 5]"))
    answer = call("pipeline", "plan", searched)
    assert answer.code == 3
    assert "error[E320]" in answer.err
    assert "trial 1 is pinned for 'best', but it is of another search than this one" in answer.err
    assert call("sweep", "promote", searched, "best", "--clear").code == 0
    assert call("pipeline", "plan", searched).code == 0


def test_a_new_pin_replaces_one_of_another_search(call: Call, searched: Path) -> None:
    other = "stages.best.tune.space.start={grid: [7, 8]}"
    run(call, searched, "-S", other)
    call("sweep", "promote", searched, "--trial", "1")
    assert call("sweep", "promote", searched, "--trial", "0", "-S", other).code == 0
    assert len(json.loads(lock_file(searched).read_text())["pins"]) == 1
    assert run(call, searched, "-S", other).code == 0


def test_a_pin_holds_under_the_profile_that_it_was_made_with(call: Call, write_pipeline: Write) -> None:
    path = write_pipeline(grid(), head="profiles: {short: {stages: {best: {stages: {walk: {with: {steps: 2}}}}}}}")
    run(call, path)
    run(call, path, "--profile", "short")
    assert call("sweep", "promote", path, "--trial", "1", "--profile", "short").code == 0
    assert {status for status, _ in ends(run(call, path)).values()} == {"cached"}
    assert ends(run(call, path, "--profile", "short"))["best"][0] == "done"


@pytest.mark.parametrize("text", ["{", "[]", '{"format": "lock/1", "pins": [{"stage": 3}]}', '{"pins": []}'])
def test_a_damaged_lock_file_is_a_mistake(call: Call, write_pipeline: Write, text: str) -> None:
    path = write_pipeline(grid())
    lock_file(path).write_text(text)
    answer = call("pipeline", "plan", path)
    assert answer.code == 2
    assert "is no list of pinned trials" in answer.err


def test_a_newer_lock_file_is_refused_and_a_lost_pin_is_told(call: Call, write_pipeline: Write) -> None:
    path = write_pipeline(grid())
    lock_file(path).write_text('{"format": "lock/2", "pins": []}')
    assert call("pipeline", "plan", path).code == 3
    pin = {"stage": "gone", "search": "0" * 64, "trial": 2, "profile": ""}
    lock_file(path).write_text(json.dumps({"format": "lock/1", "pins": [pin]}))
    answer = call("pipeline", "plan", path)
    assert answer.code == 0
    assert "warning[W304]" in answer.err
    assert "pins trial 2 of 'gone', which is no sweep here" in answer.err


def test_extend_goes_on_with_the_same_search(call: Call, write_pipeline: Write) -> None:
    path = write_pipeline(grid(2))
    run(call, path)
    answer = call("sweep", "extend", path, "--trials", "+1", "--executor", "inline", "-o", "json")
    assert answer.code == 0
    setting = "stages.best.tune.search.trials=3"
    assert f"advorch pipeline run {path} -S {setting} --executor inline\n" in answer.err
    assert f"to keep it, write into the file: {setting}" in answer.err
    assert ends(answer)["best"][0] == "done"
    again = call("sweep", "extend", path, "--trials", "+1", "--executor", "inline", "-q")
    assert "stages.best.tune.search.trials=4" in again.err, "one more than there are"
    rows = json.loads(call("sweep", "trials", path, "-o", "json").out)
    assert {row["trial"]: row["values"]["start"] for row in rows} == {0: 3, 1: 1, 2: 4, 3: 2}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing says how much longer"),
        (["--trials", "some"], "'some' is no number of trials"),
        (["--trials", "+0"], "'+0' is no number of trials"),
        (["--wall", "1h"], "the search has no budget of wall"),
        (["--gpu-hours", "1"], "the search has no budget of gpu_hours"),
        (["rest", "--trials", "1"], "has no sweep 'rest'"),
    ],
)
def test_what_extend_refuses_takes_a_line(call: Call, write_pipeline: Write, arguments: list[str], said: str) -> None:
    answer = call("sweep", "extend", write_pipeline(grid()), *arguments)
    assert answer.code == 2
    assert said in answer.err
    assert len(answer.err.splitlines()) <= 2


def test_a_run_is_asked_as_well_as_a_file(call: Call, searched: Path) -> None:
    [row] = json.loads(call("sweep", "show", "last", "-o", "json").out)
    assert (row["state"], row["trial"], row["done"], row["failed"]) == ("done", 2, 3, 1)
    run(call, searched)  # all of it cached
    rows = json.loads(call("sweep", "trials", "last", "best", "-o", "json").out)
    assert [row["trial"] for row in rows] == [2, 0, 1, 3]
    assert json.loads(call("sweep", "best", "last", "-o", "json").out)[0]["values"]["start"] == 4
    wrong = call("sweep", "show", "last", "--profile", "x")
    assert (wrong.code, "say how a file is read" in wrong.err) == (2, True)


def test_several_sweeps_are_told_apart_by_name(call: Call, write_pipeline: Write) -> None:
    body, _, after = grid().partition("  after:")
    other = body.replace("  best:", "  rest:\n    matrix: {way: [a, b]}", 1)
    path = write_pipeline(body + other + "  after:" + after)
    run(call, path)
    assert "has 2 sweeps" in call("sweep", "show", path).err
    assert len(json.loads(call("sweep", "show", path, "rest", "-o", "json").out)) == 2
    assert "'rest' is 2 sweeps" in call("sweep", "promote", path, "rest", "--trial", "1").err
    assert call("sweep", "promote", path, "rest[way=b]", "--trial", "1").code == 0
    states = {row["sweep"]: row["pin"] for row in json.loads(call("sweep", "show", path, "rest", "-o", "json").out)}
    assert states == {"rest[way=a]": None, "rest[way=b]": 1}
    plain = write_pipeline("  walk: {uses: train/walk}\n", name="plain.yaml")
    assert "has no sweep" in call("sweep", "show", plain).err


def test_a_sweep_that_reads_what_is_not_there_yet_waits(call: Call, write_pipeline: Write) -> None:
    path = write_pipeline(
        "  first: {uses: train/walk}\n"
        + grid().replace("uses: train/walk\n", "uses: train/walk\n        in: {table: first.table}\n")
    )
    answer = call("sweep", "show", path)
    assert "waiting" in answer.out
    assert "it waits for first" in answer.err
    refused = call("sweep", "promote", path, "--trial", "1")
    assert (refused.code, "nothing was searched yet" in refused.err) == (2, True)


def test_python_has_the_same_as_a_frame(workspace: Path, write_pipeline: Write) -> None:
    planned = api.load(write_pipeline(grid())).plan()
    assert planned.sweep().trials == {}
    assert planned.sweep().frame().empty
    done = planned.run(Options(executor="inline", quiet=True)).check()
    for sweep in (planned.sweep("best"), done.sweep()):
        frame = sweep.frame()
        assert list(frame["start"]) == [3, 1, 4, 2]
        assert frame["rank"].idxmin() == 2
        assert sweep.winners == [2]
    assert planned.sweep().settings(0)["walk"] == {"steps": 3, "start": 3, "trouble": "none"}
    assert done.sweep().settings(0) == {}


def test_an_evaluation_draws_the_search(workspace: Path, write_pipeline: Write) -> None:
    text = grid() + "  how: {uses: evaluate/search, in: {trials: best.trials}}\n"
    done = api.load(write_pipeline(text)).plan().run(Options(executor="inline", quiet=True)).check()
    assert done.metrics["how"] == {
        "trials": 4.0, "done": 3.0, "pruned": 0.0, "failed": 1.0, "best": done.metrics["best"]["walk.end"]
    }  # fmt: skip
    assert {"what_was_tried", "best_so_far", "what_mattered_for_walk_end"} <= set(done.figures("how"))
    winners = done.table("how", "winners")
    assert list(winners["trial"]) == [2]
    assert list(winners["start"]) == [4]
    assert dict(zip(*[done.table("how", "importance")[name] for name in ("dimension", "share")], strict=True)) == {
        "start": pytest.approx(1.0)
    }  # fmt: skip


def test_a_search_that_goes_on_names_its_run(call: Call, write_pipeline: Write, workspace: Path) -> None:
    path = write_pipeline(grid())
    [row] = json.loads(call("sweep", "show", path, "-o", "json").out)
    folder = workspace / ".advorch" / "runs" / "20261120-101502-3f9a"
    write_driver(folder)
    log = Journal(folder)
    log.emit(CellStarted(cell="best/0", stage="best", component="core/trial", key=row["key"], params={"start": 3}))
    log.close()
    answer = call("sweep", "show", path)
    assert answer.out.splitlines()[2].split()[:2] == ["best", "running"]
    assert "run 20261120-101502-3f9a searches now" in answer.err
    assert "advorch run watch 20261120-101502-3f9a" in answer.err


def test_a_run_ends_with_who_won(call: Call, write_pipeline: Write) -> None:
    answer = call("pipeline", "run", write_pipeline(grid()), "--executor", "inline")
    assert "best: trial 2 of 4 won: start=4 -> walk.end=" in answer.err
    assert "advorch sweep trials 2" in answer.err
    assert "2 done in" in answer.err, "the cells of trials are not the run's own"
    assert call("run", "logs", "--stage", "best/2").code == 0
    assert "did you mean 'best'" in call("run", "logs", "--stage", "bset").err


def test_the_sweep_of_the_documentation_can_be_planned(call: Call, workspace: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text().split("```yaml\n")[1].split("```")[0]
    splits = '{fit: "train[:900]", watch: "train[900:1000]", select: "train[1000:]", final: test}'
    head = f"version: 1\nname: docs\ndata:\n  digits: {{uses: digits, splits: {splits}}}\n"
    (workspace / "docs.yaml").write_text(head + text)
    answer = call("pipeline", "plan", workspace / "docs.yaml", "-o", "json")
    assert answer.code == 0, answer.err
    assert [row["cell"] for row in json.loads(answer.out)] == ["robust", "final", "how"]
    assert "warning" not in answer.err
