"""The driver over real stages, inline: what runs, what is cached, what fails and with which exit code."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import advorch
from advorch.engine.driver import Policy
from advorch.errors import StageFailed, UsageError
from advorch.events import Status
from advorch.plan.selection import Selection
from advorch.session.result import Run
from advorch.session.running import Options

Write = Callable[..., Path]

WALKS = """
  a:
    uses: train/walk
    with: {steps: 2, diary: DIARY}
  b:
    uses: train/walk
    seed: 1
    with: {steps: 2, diary: DIARY}
  sum:
    uses: evaluate/join
    in: {tables: [a.table, b.table]}
"""


def run(path: Path, selection: Selection | None = None, **policy: object) -> Run:
    options = Options(executor="inline", quiet=True, policy=Policy(**policy))  # type: ignore[arg-type]
    return advorch.load(path).plan(selection).run(options)


def statuses(done: Run) -> dict[str, str]:
    return {cell: status.value for cell, status in done.statuses.items()}


def diary(workspace: Path) -> list[str]:
    path = workspace / "diary"
    return path.read_text().splitlines() if path.exists() else []


def walks(workspace: Path) -> str:
    return WALKS.replace("DIARY", str(workspace / "diary"))


def test_a_second_run_finds_everything(workspace: Path, write_pipeline: Write) -> None:
    path = write_pipeline(walks(workspace))
    first, second = run(path), run(path)
    assert statuses(first) == {"a": "done", "b": "done", "sum": "done"}
    assert set(statuses(second).values()) == {"cached"}
    assert first.metrics == second.metrics
    assert first.exit_code == second.exit_code == 0
    assert len(diary(workspace)) == 4


def test_names_order_and_neighbours_do_not_matter(workspace: Path, write_pipeline: Write) -> None:
    run(write_pipeline(walks(workspace)))
    text = walks(workspace).replace("  sum:", "  total:").replace("  a:", "  first:").replace("a.table", "first.table")
    extra = "  zero:\n    uses: train/walk\n    with: {steps: 1}\n"
    again = run(write_pipeline(extra + text))
    assert statuses(again) == {"zero": "done", "first": "cached", "b": "cached", "total": "cached"}


def test_a_changed_parameter_misses_and_an_unchanged_output_stops_it(workspace: Path, write_pipeline: Write) -> None:
    run(write_pipeline(walks(workspace)))
    changed = run(write_pipeline(walks(workspace).replace("steps: 2", "steps: 3", 1)))
    assert statuses(changed) == {"a": "done", "b": "cached", "sum": "done"}
    slower = run(write_pipeline(walks(workspace).replace("steps: 2,", "steps: 2, pause: 0.001,", 1)))
    assert statuses(slower) == {"a": "done", "b": "cached", "sum": "cached"}, "same bytes in, so nothing to do after"


def test_force_computes_again(workspace: Path, write_pipeline: Write) -> None:
    path = write_pipeline(walks(workspace))
    run(path)
    assert statuses(run(path, force=frozenset({"a"}))) == {"a": "done", "b": "cached", "sum": "cached"}


def test_a_selection_takes_the_rest_from_the_cache_or_says_what_it_lacks(
    workspace: Path, write_pipeline: Write
) -> None:
    path = write_pipeline(walks(workspace))
    lacking = run(path, Selection(only=("sum",)))
    assert lacking.exit_code == 2
    assert isinstance(lacking.errors["a"], UsageError)
    run(path, Selection(until=("b",)))
    assert len(diary(workspace)) == 2


def test_equal_cells_are_computed_once(workspace: Path, write_pipeline: Write) -> None:
    text = walks(workspace).replace("    seed: 1\n", "")
    done = run(write_pipeline(text))
    assert sorted(statuses(done).values()) == ["cached", "done", "done"]
    assert len(diary(workspace)) == 2


def test_a_failure_stops_what_follows_and_says_why(workspace: Path, write_pipeline: Write) -> None:
    text = walks(workspace).replace("{steps: 2,", "{steps: 2, trouble: user,", 1)
    done = run(write_pipeline(text))
    assert done.exit_code == 1
    assert done.statuses["a"] is Status.FAILED
    assert done.statuses["sum"] is not Status.DONE
    failure = done.errors["a"]
    assert isinstance(failure, StageFailed)
    assert failure.message == "ValueError: a bug of the user's"
    assert "walk.py" in failure.details, "the traceback is kept"
    log = next((done.folder / "logs").iterdir()).read_text()
    assert "trouble: user" in log
    assert "Traceback" in log


def test_keep_going_and_continue_run_the_rest_and_end_with_five(workspace: Path, write_pipeline: Write) -> None:
    text = walks(workspace).replace("{steps: 2,", "{steps: 2, trouble: user,", 1)
    kept = run(write_pipeline(text), keep_going=True)
    assert kept.exit_code == 5
    assert statuses(kept) == {"a": "failed", "b": "done", "sum": "skipped"}
    tolerated = run(write_pipeline(text.replace("    uses", "    on_failure: continue\n    uses", 1)))
    assert tolerated.exit_code == 5
    assert statuses(tolerated) == {"a": "failed", "b": "cached", "sum": "skipped"}


@pytest.mark.parametrize(("trouble", "word"), [("user", "user"), ("oom", "oom"), ("nan", "nan")])
def test_errors_are_retried_by_class(workspace: Path, write_pipeline: Write, trouble: str, word: str) -> None:
    once = workspace / "once"
    stage = f"""
  a:
    uses: train/walk
    retry: {{max: 1, on: [{word}]}}
    with: {{steps: 3, trouble: {trouble}, once: {once}, diary: {workspace / "diary"}}}
"""
    done = run(write_pipeline(stage))
    assert statuses(done) == {"a": "done"}
    assert [line.split()[1] for line in diary(workspace)] == ["1", "2", "2", "3"], "the retry resumes after step 1"
    once.unlink()
    other = run(write_pipeline(stage.replace(f"[{word}]", "[preempted]")), force=frozenset({"all"}))
    assert other.exit_code == 1


def test_a_timeout_is_a_failure_of_its_stage(workspace: Path, write_pipeline: Write) -> None:
    done = run(write_pipeline("  a:\n    uses: train/walk\n    timeout: 300ms\n    with: {steps: 50, pause: 0.05}\n"))
    assert done.exit_code == 1
    failure = done.errors["a"]
    assert isinstance(failure, StageFailed)
    assert failure.error_class.value == "timeout"


def test_the_deadline_of_a_run_ends_it_with_seven(workspace: Path, write_pipeline: Write) -> None:
    path = write_pipeline("  a:\n    uses: train/walk\n    with: {steps: 50, pause: 0.05}\n")
    assert run(path, deadline=0.5).exit_code == 7


def test_a_cell_that_can_never_start_is_infrastructure(workspace: Path, write_pipeline: Write) -> None:
    path = write_pipeline("  a:\n    uses: train/walk\n    limits: {license: 2}\n", head="limits: {license: 2}")
    done = run(path, limits={"license": 1})
    assert done.exit_code == 8
    assert "2 license of 1 license" in str(done.errors["a"])


def flip(workspace: Path) -> None:
    """Damage every stored object without changing its size."""
    for item in (workspace / ".advorch/store/objects").rglob("*"):
        if item.is_file():
            item.chmod(0o644)
            item.write_bytes(b"\x00" + item.read_bytes()[1:])


def test_damage_that_verify_finds_is_computed_again(workspace: Path, write_pipeline: Write) -> None:
    path = write_pipeline(walks(workspace))
    before = run(path)
    flip(workspace)
    assert list(advorch_store(workspace).verify())
    after = run(path)
    assert after.metrics == before.metrics
    assert set(statuses(after).values()) == {"done"}


def test_a_damaged_input_is_computed_again_in_the_same_run(workspace: Path, write_pipeline: Write) -> None:
    path = write_pipeline(walks(workspace))
    run(path, Selection(until=("a",)))
    flip(workspace)
    done = run(path)
    assert done.exit_code == 0
    assert len([line for line in diary(workspace) if line.endswith(" 1")]) == 3, "a twice, b once"


def test_force_starts_from_nothing(workspace: Path, write_pipeline: Write) -> None:
    once = workspace / "once"
    path = write_pipeline(walks(workspace).replace("{steps: 2,", f"{{steps: 2, trouble: user, once: {once},", 1))
    run(path)
    run(path, force=frozenset({"a"}))
    assert [line.split()[1] for line in diary(workspace)][:4] == ["1", "2", "1", "2"], "not from its checkpoint"


def advorch_store(workspace: Path):  # type: ignore[no-untyped-def]
    from advorch.store.opening import open_store

    return open_store(str(workspace / ".advorch/store"))


def test_what_can_never_run_is_told_before_anything_runs(workspace: Path, write_pipeline: Write) -> None:
    text = walks(workspace) + "  gang:\n    uses: train/walk\n    needs: [sum]\n    resources: {workers: 2}\n"
    done = run(write_pipeline(text))
    assert done.exit_code == 8
    assert "2 workers of 1 workers" in str(done.errors["gang"])
    lines = (done.folder / "journal.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    early = next(i for i, event in enumerate(events) if event["event"] == "cell_waiting" and event["cell"] == "gang")
    assert early < next(i for i, event in enumerate(events) if event["event"] == "cell_started")
