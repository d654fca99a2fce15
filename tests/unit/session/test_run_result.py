"""What a run exposes of its ledger and of its journal."""

from pathlib import Path

import pytest

from advorch.engine.ledger import Ledger
from advorch.errors import UsageError
from advorch.events import CellFinished, RunFinished, RunStarted, Status
from advorch.session.result import Run
from advorch.session.running import Finished
from advorch.tracking.files import log_file
from advorch.tracking.journal import Journal
from advorch.tracking.outbox import MlflowJob, write_job

CELLS = ("plain", "attack[name=pgd]", "report")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    ledger = Ledger(emit=lambda event: None, on_end=lambda cell: None)
    ledger.statuses = {"report": Status.DONE, "attack[name=pgd]": Status.SKIPPED, "plain": Status.DONE}
    journal = Journal(tmp_path)
    journal.emit(
        RunStarted(
            run="r", pipeline="p", file="f", profile="", executor="inline", storage="s", version="0", cells=CELLS
        )
    )
    ends = {
        "plain": (Status.DONE, "", ()),
        CELLS[1]: (Status.SKIPPED, "why", ()),
        "report": (Status.DONE, "", CELLS[1:2]),
    }
    for cell, (status, message, missing) in ends.items():
        journal.emit(
            CellFinished(cell=cell, stage=cell, component="c", status=status, message=message, missing=missing)
        )
    journal.emit(RunFinished(run="r", exit_code=5, seconds=1.0))
    journal.close()
    return Run(Finished(run="r", folder=tmp_path, exit_code=5, ledger=ledger, store_url="", cells=CELLS))


def test_statuses_stand_in_the_order_of_the_plan(run: Run) -> None:
    assert list(run.statuses) == list(CELLS)
    assert list(run.frame().index) == list(CELLS)


def test_the_journal_tells_why_and_without_what(run: Run) -> None:
    assert run.messages == {"attack[name=pgd]": "why"}
    assert run.missing == {"report": ("attack[name=pgd]",)}
    assert run.record.pipeline == "p"


def test_the_end_of_a_log(run: Run) -> None:
    path = log_file(run.folder, "plain")
    path.parent.mkdir()
    path.write_text("one\ntwo\nthree, torn")
    assert run.log_tail("plain", 2) == ["two", "three, torn"]
    assert run.log_tail("report", 2) == []


def test_where_mlflow_is(run: Run) -> None:
    assert run.mlflow_uri == ""
    write_job(run.folder, MlflowJob(uri="sqlite:///x.db", experiment="e", store="s"))
    assert run.mlflow_uri == "sqlite:///x.db"


def test_a_table_by_name_and_a_name_that_is_not_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("table", 1), ("summary", 1), ("by_attack", 2)):
        (tmp_path / f"{name}.json").write_text(f'{{"columns": ["a"], "rows": [[{value}]]}}')
    monkeypatch.setattr(run, "open", lambda cell, kind: tmp_path)
    (tmp_path / "mlflow.job.json").unlink(missing_ok=True)
    assert run.table("report").to_dict("records") == [{"a": 1}]
    assert run.table("report", "by_attack").to_dict("records") == [{"a": 2}]
    assert run.tables("report") == ["by_attack", "summary"]
    with pytest.raises(UsageError, match="no table 'nothing'"):
        run.table("report", "nothing")
