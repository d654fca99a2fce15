"""`advorch run`: look at runs, follow, stop and compare them; one command a verb."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advorch.cli.render import Format, emit, say, suggest
from advorch.session.workspace import Workspace
from advorch.tracking.addresses import level

if TYPE_CHECKING:
    from advorch.tracking.runs import RunRecord

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

RunName = Annotated[str, typer.Argument(metavar="RUN", help="a run's id, its beginning, or `last`")]
Output = Annotated[Format, typer.Option("-o", "--output", help="form of the data on stdout")]
SHOWN_KEY = 12


@app.command("list")
def list_(
    output: Output = Format.TABLE,
    limit: Annotated[int, typer.Option("-n", "--limit", min=0, help="only the newest so many; 0 is all")] = 20,
) -> None:
    """List runs, newest first."""
    from advorch.cli.refreshing import refresh_open
    from advorch.tracking.runs import list_runs

    refresh_open(Workspace.find().runs)
    records = list_runs(Workspace.find().runs)
    rows = [_summary(record) for record in (records[:limit] if limit else records)]
    emit(rows, ["run", "pipeline", "state", "exit_code", "cells", "seconds", "started"], output)
    if limit and len(records) > limit:
        say(f"{len(records) - limit} older runs are not shown: -n 0 lists all")


@app.command()
def show(run: RunName = "last", output: Output = Format.TABLE) -> None:
    """Show the cells of a run: how each ended, how long it took, what it measured; of a sweep its best trials."""
    from advorch.cli.trials import tell_trials
    from advorch.tracking.lines import metric_words

    record = _load(run)
    own = (
        record.own if output is Format.TABLE else {name: cell for name, cell in record.cells.items() if level(name) < 2}
    )
    rows = [_cell_row(cell) for cell in own.values()]
    if output is Format.TABLE:
        rows = [
            {**row, "key": row["key"][:SHOWN_KEY], "metrics": " ".join(metric_words(row["metrics"]))} for row in rows
        ]
        say(f"run {record.run}  {record.pipeline}: {record.state.value}")
    emit(rows, ["cell", "status", "seconds", "key", "metrics"], output)
    say(*(f"{cell.cell}: {cell.message}" for cell in record.own.values() if cell.message))
    if output is Format.TABLE:
        tell_trials(record)
    suggest(f"advorch run logs {record.run}", f"advorch run report {record.run}")


@app.command()
def logs(
    run: RunName = "last",
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="go on until the run ends; exit with its code")
    ] = False,
    stage: Annotated[str, typer.Option(help="only this stage, or this cell")] = "",
    tail: Annotated[int | None, typer.Option(min=1, help="begin with the last so many lines of each cell")] = None,
) -> None:
    """Print what the cells of a run printed."""
    from advorch.cli.following import follow_run, print_logs
    from advorch.cli.watching import following, last_words

    if not follow:
        print_logs(_fresh_folder(run), stage, tail)
        return
    folder = _folder(run)
    with following(folder) as check:
        code = follow_run(folder, stage, tail, check)
    raise typer.Exit(last_words(folder, code))


@app.command()
def watch(run: RunName = "last") -> None:
    """Show what a run does as it does it, without what its cells print; exit with its code."""
    from advorch.cli.watching import following, last_words, watch_run

    folder = _folder(run)
    with following(folder) as check:
        code = watch_run(folder, check)
    raise typer.Exit(last_words(folder, code))


@app.command()
def stop(run: RunName) -> None:
    """Ask a live run to stop: its stages checkpoint, what is committed stays."""
    from advorch.cli.refreshing import stop_submitted
    from advorch.tracking.liveness import ask_to_stop
    from advorch.tracking.runs import RunState, load_run

    record = load_run(_folder(run))
    if record.state is RunState.SUBMITTED:
        stop_submitted(record.folder)
        return
    if record.state is not RunState.RUNNING:
        _say_not_running(record)
        return
    ask_to_stop(record.folder)
    say(f"run {record.run} was asked to stop; running stages write a checkpoint first")
    suggest(f"advorch run logs -f {record.run}", f"advorch run show {record.run}")


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="two runs or more")], output: Output = Format.TABLE
) -> None:
    """Put the metrics of runs side by side; the difference is the last less the first."""
    from advorch.errors import UsageError
    from advorch.tracking.compare import compare as side_by_side
    from advorch.tracking.compare import compare_params

    records = [_load(run) for run in runs]
    names = [record.run for record in records]
    if len(set(names)) < 2:
        raise UsageError("compare needs two different runs", hint="list them: advorch run list")
    emit(side_by_side(records), ["cell", "metric", *names, "difference"], output)
    for row in compare_params(records):
        say(f"{row['cell']}: {row['parameter']} is {' / '.join(str(row[name]) for name in names)}")


@app.command()
def report(
    run: RunName = "last",
    open_: Annotated[bool, typer.Option("--open/--no-open", help="show it in the browser")] = False,
) -> None:
    """Write one HTML page for a run, with its reports copied beside it, and print where it is."""
    from advorch.cli.reporting import write_report

    record = _load(run)
    page = write_report(record)
    typer.echo(str(page))
    if open_:
        typer.launch(page.as_uri())
    suggest(f"advorch run show {record.run}", f"advorch run compare {record.run} RUN")


@app.command()
def sync(
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="a run's id, its beginning, or `last`")] = "last",
    everything: Annotated[bool, typer.Option("--all", help="every run that MLflow has not whole")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Bring MLflow up to what the journals say; doing it twice changes nothing."""
    from advorch.cli.syncing import sync_all, sync_one

    rows = sync_all(Workspace.find().runs) if everything else [sync_one(_folder(run))]
    emit(rows, ["run", "result", "experiment", "uri", "reason"], output)
    databases = dict.fromkeys(row["uri"] for row in rows if "://" in row["uri"] and not row["uri"].startswith("http"))
    if databases:
        suggest(*(f"mlflow ui --backend-store-uri {uri}" for uri in databases))
    raise typer.Exit(8 if any(row["result"] == "behind" for row in rows) else 0)


@app.command()
def rm(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="runs to forget")],
    force: Annotated[bool, typer.Option("--force", help="also a run that may still be driven elsewhere")] = False,
) -> None:
    """Remove the journal, logs and copied reports of runs; results stay in the store."""
    import shutil

    from advorch.errors import UsageError
    from advorch.tracking.runs import RunState

    records = [_load(run) for run in runs]
    for record in records:
        elsewhere = record.state in (RunState.ELSEWHERE, RunState.SUBMITTED)
        if record.state is RunState.RUNNING or (elsewhere and not force):
            raise UsageError(f"run {record.run} is {record.state.value}", hint=f"advorch run stop {record.run}")
    for record in records:
        shutil.rmtree(record.folder)
        say(f"removed {record.run}")


def _folder(run: str) -> Path:
    from advorch.tracking.runs import find_run

    return find_run(Workspace.find().runs, run)


def _fresh_folder(run: str) -> Path:
    from advorch.cli.refreshing import refresh_one

    folder = _folder(run)
    refresh_one(folder)
    return folder


def _load(run: str) -> "RunRecord":
    from advorch.tracking.runs import load_run

    return load_run(_fresh_folder(run))


def _summary(record: "RunRecord") -> dict[str, Any]:
    import time

    return {
        "run": record.run,
        "pipeline": record.pipeline,
        "state": record.state.value,
        "exit_code": record.exit_code,
        "cells": [f"{count} {status}" for status, count in record.counts().items()],
        "seconds": round(record.seconds, 3),
        "started": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.started)),
    }


def _cell_row(cell: Any) -> dict[str, Any]:
    return {
        "cell": cell.cell,
        "status": cell.status,
        "seconds": round(cell.seconds, 3),
        "key": cell.key,
        "metrics": cell.metrics,
        "component": cell.component,
        "attempt": cell.attempt,
        "outputs": cell.outputs,
        "params": cell.params,
        "inputs": cell.inputs,
        "missing": cell.missing,
        "message": cell.message,
        "error_class": cell.error_class,
    }


def _say_not_running(record: "RunRecord") -> None:
    from advorch.errors import UsageError
    from advorch.tracking.liveness import read_driver
    from advorch.tracking.runs import RunState

    if record.state is RunState.ELSEWHERE:
        driver = read_driver(record.folder)
        raise UsageError(f"run {record.run} is driven on another host", hint=f"stop it on {driver and driver.host}")
    if record.state is RunState.INTERRUPTED:
        say(f"run {record.run} is not running: its driver is gone, and what it committed stays")
    else:
        say(f"run {record.run} has ended already, with exit code {record.exit_code}")
