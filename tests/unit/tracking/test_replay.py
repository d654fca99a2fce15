"""The replay: at least once and in order, whatever the other side does."""

import copy
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from advorch.events import CellFinished, CellReported, CellStarted, Event, RunFinished, RunStarted
from advorch.tracking.addresses import parent_of
from advorch.tracking.recorder import PIPELINE, Dataset, LoggedModel, Opening, Point, Refused, Unreachable
from advorch.tracking.replay import CURSOR_FILE, Replay, Timing
from advorch.tracking.results import Results
from advorch.tracking.story import Story

ATTACK = "attack[model=plain,name=pgd]"
MakeRun = Callable[[Path, list[Event]], Path]


class Ledger:
    """A recorder in memory that fails when told to; everything told twice must count once."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.mapping: dict[str, str] = {}
        self.created = 0
        self.calls = 0
        self.fail: Callable[[int, str], Exception | None] = lambda call, name: None

    def _called(self, name: str) -> None:
        self.calls += 1
        error = self.fail(self.calls, name)
        if error:
            raise error

    def begin(self) -> bool:
        self._called("begin")
        self.mapping = {cell: cell for cell in self.runs}
        return PIPELINE in self.mapping

    def known(self, cell: str) -> bool:
        return cell in self.mapping

    def open(self, opening: Opening) -> None:
        self._called("open")
        if opening.cell not in self.mapping:
            self.created += 1
            self.runs[opening.cell] = {
                "parent": opening.parent, "params": {}, "points": set(), "tags": dict(opening.tags), "datasets": set(),
                "files": {}, "status": "RUNNING", "started": opening.at,
            }  # fmt: skip
            self.mapping[opening.cell] = opening.cell

    def params(self, cell: str, params: Mapping[str, str]) -> None:
        self._called("params")
        self.runs[cell]["params"] |= params

    def points(self, cell: str, points: Sequence[Point]) -> None:
        self._called("points")
        self.runs[cell]["points"] |= {(point.name, repr(point.value), point.step, point.at) for point in points}

    def tags(self, cell: str, tags: Mapping[str, str]) -> None:
        self._called("tags")
        self.runs[cell]["tags"] |= tags

    def ending(self, cell: str, points: Sequence[Point], tags: Mapping[str, str]) -> None:
        self.points(cell, points)
        self.tags(cell, tags)

    def datasets(self, cell: str, datasets: Iterable[Dataset]) -> None:
        self._called("datasets")
        self.runs[cell]["datasets"] |= set(datasets)

    def files(self, cell: str, folder: Path, place: str) -> None:
        self._called("files")
        found = {f"{place}/{path.relative_to(folder)}": path.read_text() for path in folder.rglob("*")}
        self.runs[cell]["files"] |= found

    def has_model(self, cell: str, name: str, digest: str) -> bool:
        return False

    def model(self, cell: str, model: LoggedModel) -> None:
        self._called("model")
        self.runs[cell].setdefault("models", set()).add(model.name)

    def close(self, cell: str, status: str, at: float) -> None:
        self._called("close")
        self.runs[cell] |= {"status": status, "ended": at}


def tell(folder: Path, ledger: Ledger, library: Any, patience: float = 0.0, **options: Any) -> bool:
    """One pass over what the journal has, without a pause."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    story = Story(ledger, Results(ledger, library, **options))
    timing = Timing(over=lambda: True, patience=patience, sleep=sleep, clock=lambda: now[0])
    return Replay(folder, story, timing).run()


def test_a_run_as_nested_records(tmp_path: Path, make_run: MakeRun, events: list[Event], library: Any) -> None:
    ledger = Ledger()
    assert tell(make_run(tmp_path, events), ledger, library)
    parents = {cell: run["parent"] for cell, run in ledger.runs.items()}
    assert parents == {PIPELINE: None, "plain": "", ATTACK: "", "robust": "", "robust/1": "robust", "bad": ""}
    statuses = {cell: run["status"] for cell, run in ledger.runs.items()}
    assert statuses == {
        PIPELINE: "FAILED", "plain": "FINISHED", ATTACK: "FINISHED", "robust": "FINISHED", "robust/1": "KILLED",
        "bad": "FAILED",
    }  # fmt: skip
    plain, attack, bad = ledger.runs["plain"], ledger.runs[ATTACK], ledger.runs["bad"]
    assert plain["tags"]["advorch.cached"] == "true"
    assert plain["params"] == {"lr": "0.1"}
    assert "advorch.cached" not in attack["tags"]
    assert attack["tags"]["advorch.retry.1"] == "node_lost: worker died"
    assert attack["tags"]["advorch.attempt"] == "2"
    assert attack["tags"]["advorch.input.data"] == "d" * 64
    assert bad["tags"]["advorch.error_class"] == "oom"
    assert bad["tags"]["mlflow.note.content"] == "no memory"
    assert ledger.runs[PIPELINE]["params"] == {"epsilon": "0.3", "deep.x": "[1, 2]"}


def test_final_metrics_come_after_the_last_step_and_stand_at_the_pipeline_too(
    tmp_path: Path, make_run: MakeRun, events: list[Event], library: Any
) -> None:
    ledger = Ledger()
    tell(make_run(tmp_path, events), ledger, library)
    steps = {(name, value, step) for name, value, step, _ in ledger.runs[ATTACK]["points"]}
    assert ("robust_accuracy", "0.41", 7) in steps
    assert {("robust_accuracy", str(step / 10), step) for step in range(2, 8)} <= steps
    lifted = {(name, value) for name, value, _, _ in ledger.runs[PIPELINE]["points"]}
    assert lifted == {
        ("plain/clean_accuracy", "0.99"), (f"{ATTACK}/robust_accuracy", "0.41"), ("robust/robust_accuracy", "0.7")
    }  # fmt: skip


def test_data_is_an_input_that_no_cell_made(
    tmp_path: Path, make_run: MakeRun, events: list[Event], library: Any
) -> None:
    ledger = Ledger()
    tell(make_run(tmp_path, events), ledger, library)
    assert ledger.runs[ATTACK]["datasets"] == {Dataset("data", "d" * 64, "data")}


def test_inputs_that_name_themselves_are_recorded_under_their_names(
    tmp_path: Path, make_run: MakeRun, library: Any
) -> None:
    inputs = {
        "data": [{"name": "mnist.fit", "digest": "a1", "type": "dataset"}],
        "model": [{"name": "plain.model", "digest": "b2", "type": "model"}],
    }
    run = story_of(CellStarted(cell="a", stage="a", component="c", key="k", inputs=inputs))
    ledger = Ledger()
    tell(make_run(tmp_path, run), ledger, library)
    assert ledger.runs["a"]["datasets"] == {Dataset("mnist.fit", "a1", "data")}
    assert ledger.runs["a"]["tags"]["advorch.input.model"] == "b2"


def story_of(*events: Event) -> list[Event]:
    head = RunStarted(run="r", pipeline="p", file="f", profile="", executor="inline", storage="", version="0")
    return [head, *events]


@pytest.mark.parametrize("log_samples", [False, True])
def test_tables_and_reports_go_along_and_samples_only_when_allowed(
    tmp_path: Path, make_run: MakeRun, events: list[Event], library: Any, log_samples: bool
) -> None:
    ledger = Ledger()
    tell(make_run(tmp_path, events), ledger, library, log_samples=log_samples)
    expected = {"report/report.html": "content of report.html", "table/table.json": "content of table.json"}
    samples = {"adversarial/samples.safetensors": "content of samples.safetensors"}
    assert ledger.runs[ATTACK]["files"] == expected | (samples if log_samples else {})


def test_told_twice_counts_once(tmp_path: Path, make_run: MakeRun, events: list[Event], library: Any) -> None:
    ledger = Ledger()
    folder = make_run(tmp_path, events)
    assert tell(folder, ledger, library)
    before = copy.deepcopy(ledger.runs)
    (folder / CURSOR_FILE).unlink()
    assert tell(folder, ledger, library)
    assert ledger.runs == before
    assert ledger.created == 6


def test_killed_at_any_call_and_told_again_is_as_if_nothing_happened(
    tmp_path: Path, make_run: MakeRun, events: list[Event], library: Any
) -> None:
    smooth = Ledger()
    written = make_run(tmp_path / "smooth", events)
    tell(written, smooth, library)
    (written / CURSOR_FILE).unlink()
    for killed in range(1, smooth.calls + 1):
        ledger = Ledger()
        folder = shutil.copytree(written, tmp_path / str(killed))
        ledger.fail = lambda call, name, killed=killed: KeyboardInterrupt() if call == killed else None
        with pytest.raises(KeyboardInterrupt):
            tell(folder, ledger, library)
        ledger.fail = lambda call, name: None
        assert tell(folder, ledger, library)
        assert ledger.runs == smooth.runs, f"killed at call {killed}"


def test_an_outage_at_any_call_is_waited_out(
    tmp_path: Path, make_run: MakeRun, events: list[Event], library: Any
) -> None:
    smooth, shaky = Ledger(), Ledger()
    tell(make_run(tmp_path / "smooth", events), smooth, library)
    shaky.fail = lambda call, name: Unreachable("away") if call % 13 == 0 else None
    assert tell(make_run(tmp_path / "shaky", events), shaky, library, patience=1.0)
    assert shaky.runs == smooth.runs


def test_patience_ends_when_the_run_is_over_and_nobody_answers(
    tmp_path: Path, make_run: MakeRun, events: list[Event], library: Any
) -> None:
    ledger = Ledger()
    ledger.fail = lambda call, name: Unreachable("away")
    assert not tell(make_run(tmp_path, events), ledger, library, patience=20.0)
    assert 3 < ledger.calls < 12


def test_what_is_refused_is_left_out_and_the_rest_goes_on(
    tmp_path: Path, make_run: MakeRun, events: list[Event], library: Any, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger()
    ledger.fail = lambda call, name: Refused("not these") if name in ("params", "datasets") else None
    assert tell(make_run(tmp_path, events), ledger, library)
    assert ledger.runs[ATTACK]["params"] == {}
    assert ledger.runs[ATTACK]["status"] == "FINISHED"
    assert "left out: not these" in caplog.text


def test_a_recorder_that_lost_the_run_hears_it_from_the_start(
    tmp_path: Path, make_run: MakeRun, events: list[Event], library: Any
) -> None:
    first, second = Ledger(), Ledger()
    folder = make_run(tmp_path, events)
    tell(folder, first, library)
    assert tell(folder, second, library)
    assert second.runs == first.runs


def test_lines_that_come_later_are_told_from_where_it_stopped(
    tmp_path: Path, make_run: MakeRun, events: list[Event], library: Any
) -> None:
    smooth, ledger = Ledger(), Ledger()
    folder = make_run(tmp_path / "whole", events)
    tell(folder, smooth, library)
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    growing = tmp_path / "growing"
    growing.mkdir()
    for count in range(1, len(lines) + 1):
        (growing / "journal.jsonl").write_bytes(b"".join(lines[:count]))
        assert tell(growing, ledger, library)
    assert ledger.runs == smooth.runs


def test_what_a_dead_driver_left_open_is_ended(tmp_path: Path, make_run: MakeRun, library: Any) -> None:
    run = story_of(
        CellStarted(cell="a", stage="a", component="c", key="k"), CellReported(cell="a", step=1, metrics={"loss": 1.0})
    )
    ledger = Ledger()
    folder = make_run(tmp_path, run)
    story = Story(ledger, Results(ledger, library))
    Replay(folder, story, Timing(over=lambda: True, patience=0)).run()
    assert not story.ended
    story.abandon()
    assert {cell: record["status"] for cell, record in ledger.runs.items()} == {PIPELINE: "KILLED", "a": "KILLED"}
    assert ledger.runs["a"]["ended"] > ledger.runs["a"]["started"]


def test_reports_of_a_trial_stay_below_it_and_exit_code_six_is_a_stop(
    tmp_path: Path, make_run: MakeRun, library: Any
) -> None:
    run = [*story_of(), RunFinished(run="r", exit_code=6, seconds=1)]
    ledger = Ledger()
    tell(make_run(tmp_path, run), ledger, library)
    assert ledger.runs[PIPELINE]["status"] == "KILLED"


@pytest.mark.parametrize(
    ("cell", "parent"),
    [("robust", None), ("robust/3", "robust"), ("robust/3/train[a=x/y]", "robust/3"), ("attack[data=a/b]", None)],
)
def test_parents_by_address(cell: str, parent: str | None) -> None:
    assert parent_of(cell) == parent


def test_a_model_is_built_only_where_it_is_asked_for_and_a_broken_one_costs_only_itself(
    tmp_path: Path, make_run: MakeRun, make_library: Any, make_artifact: Any
) -> None:
    from advorch.artifacts import ArtifactType
    from advorch.events import Status

    good, bad = make_artifact(ArtifactType.MODEL, "good"), make_artifact(ArtifactType.MODEL, "bad")
    library = make_library({"kg": {"model": good}, "kb": {"model": bad}}, {good.digest: (object(), (1,))})
    finished = [
        CellFinished(cell=name, stage=name, component="c", key=key, status=Status.DONE, outputs={"model": "x"})
        for name, key in (("broken", "kb"), ("wanted", "kg"), ("unwanted", "kg"))
    ]
    ledger = Ledger()
    assert tell(make_run(tmp_path, story_of(*finished)), ledger, library, models=("broken", "wanted"))
    assert [cell for cell, run in ledger.runs.items() if run.get("models")] == ["wanted"]
    assert ledger.runs["broken"]["status"] == "FINISHED"
