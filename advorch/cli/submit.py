"""`advorch pipeline submit`: the run is driven on a cluster, and followed from here."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advorch.cli import options
from advorch.cli.render import Format, emit, say, suggest

if TYPE_CHECKING:
    from advorch.tracking.runs import RunRecord


def submit(
    file: options.File,
    set_: options.Overrides = None,
    profile: options.Profile = "",
    only: options.Only = None,
    from_: options.From = None,
    until: options.Until = None,
    force: options.Force = None,
    jobs: options.Jobs = None,
    keep_going: options.KeepGoing = False,
    executor: options.Executor = "ray",
    wait: options.Wait = True,
    no_plugin: options.NoPlugin = None,
    output: options.Output = Format.TABLE,
    quiet: options.Quiet = False,
    run_id: options.RunId = "",
    dashboard: Annotated[str, typer.Option(metavar="URL", help="of the cluster, such as http://head:8265")] = "",
    follow: Annotated[bool, typer.Option(help="stay until the run ends, and exit with its code")] = True,
    exclude: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="files that do not travel")] = None,
    ship: Annotated[list[str] | None, typer.Option(metavar="NAME", help="a distribution that travels, too")] = None,
) -> None:
    """Run a pipeline on a Ray cluster: the driver lives there, and goes on when this command is gone."""
    from advorch.cli.opening import open_plan
    from advorch.plan.selection import Selection
    from advorch.session.running import executor_named
    from advorch.session.submitting import Wish
    from advorch.session.submitting import submit as hand_over
    from advorch.session.workspace import Workspace

    words = _words({"-S": set_, "--profile": [profile] if profile else None, "--only": only, "--from": from_})
    words += _words({"--until": until, "--force": force, "--no-plugin": no_plugin})
    words += ["-j", str(jobs)] if jobs is not None else []
    words += ["-k"] if keep_going else []
    words += [] if wait else ["--no-wait"]
    words += ["--executor", executor_named(executor)]
    selection = Selection(only=tuple(only or ()), from_=tuple(from_ or ()), until=tuple(until or ()))
    opened = open_plan(
        file, profile=profile, overrides=set_ or (), no_plugin=no_plugin or (), selection=selection, read_data=False
    )
    for warning in opened.plan.warnings:
        sys.stderr.write(warning.render() + "\n")
    wish = Wish(
        dashboard=dashboard, run=run_id, executor=executor, options=tuple(words), exclude=tuple(exclude or ()),
        ship=tuple(ship or ()), disabled=tuple(no_plugin or ()),
    )  # fmt: skip
    folder = hand_over(opened.plan, Workspace.find(), wish)
    if not quiet:
        say(f"submitted as {folder.name}")
    if follow:
        raise typer.Exit(_followed(folder, output, quiet=quiet))
    emit([{"run": folder.name}], ["run"], output)
    suggest(f"advorch run logs -f {folder.name}", f"advorch run watch {folder.name}", f"advorch run stop {folder.name}")


def _words(flags: dict[str, Sequence[str] | None]) -> list[str]:
    return [word for flag, values in flags.items() for value in values or () for word in (flag, value)]


def _followed(folder: Path, output: Format, *, quiet: bool) -> int:
    from advorch.cli.watching import following, last_words, watch_run
    from advorch.tracking.runs import load_run

    try:
        with following(folder) as check:
            code = watch_run(folder, check, quiet=quiet)
    except KeyboardInterrupt:
        say(f"run {folder.name} goes on")
        suggest(f"advorch run logs -f {folder.name}", f"advorch run stop {folder.name}")
        raise
    _show(load_run(folder), output)
    code = last_words(folder, code)
    if not quiet:
        suggest(f"advorch run show {folder.name}", f"advorch run report {folder.name}")
    return code


def _show(record: "RunRecord", output: Format) -> None:
    from advorch.cli.summary import columns

    rows = [{"cell": cell.cell, "status": cell.status, **cell.metrics} for cell in record.cells.values()]
    emit(rows, columns(rows), output)
