"""`advorch pipeline`: one command a verb."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advorch.cli import plan as planning
from advorch.cli.render import Format

if TYPE_CHECKING:
    from advorch.session.result import Run

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.command()(planning.validate)
app.command()(planning.plan)
app.command()(planning.graph)
app.command()(planning.explain)
app.command()(planning.new)


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="the pipeline file")],
    set_: Annotated[list[str], typer.Option("-S", "--set", help="key=value, over file and profile")] = [],  # noqa: B006
    profile: Annotated[str, typer.Option(help="one of the file's profiles")] = "",
    only: Annotated[list[str], typer.Option(help="just these stages")] = [],  # noqa: B006
    from_: Annotated[list[str], typer.Option("--from", help="these stages and what follows")] = [],  # noqa: B006
    until: Annotated[list[str], typer.Option(help="these stages and what they need")] = [],  # noqa: B006
    force: Annotated[list[str], typer.Option(help="compute these stages again, or `all`")] = [],  # noqa: B006
    jobs: Annotated[int | None, typer.Option("-j", "--jobs", min=1, help="cells at a time")] = None,
    keep_going: Annotated[bool, typer.Option("-k", "--keep-going", help="go on after a failed stage")] = False,
    executor: Annotated[str, typer.Option(help="ray or inline")] = "ray",
    wait: Annotated[bool, typer.Option(help="wait for a live run of the same key")] = True,
    no_plugin: Annotated[list[str], typer.Option(help="do not load this plugin")] = [],  # noqa: B006
    output: Annotated[Format, typer.Option("-o", "--output", help="form of the final table")] = Format.TABLE,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="say only what failed")] = False,
) -> None:
    """Run what is not cached yet."""
    from advorch.engine.driver import Policy
    from advorch.plan.selection import Selection
    from advorch.session.pipeline import load
    from advorch.session.running import Options, executor_named
    from advorch.session.signals import leave

    pipeline = load(file, profile=profile, overrides=set_, no_plugins=no_plugin)
    planned = pipeline.plan(Selection(only=tuple(only), from_=tuple(from_), until=tuple(until)))
    for warning in planned.warnings:
        sys.stderr.write(warning.render() + "\n")
    policy = Policy(jobs=jobs, keep_going=keep_going, force=frozenset(force))
    options = Options(at_second_signal=leave, executor=executor_named(executor), policy=policy, wait=wait, quiet=quiet)
    with contextlib.redirect_stdout(sys.stderr):  # stdout carries data: what libraries print goes to people
        finished = planned.run(options)
    _show(finished, output, quiet=quiet)
    raise typer.Exit(finished.exit_code)


def _show(run: "Run", output: Format, *, quiet: bool) -> None:
    from advorch.cli.summary import columns, next_steps, rows

    found = rows(run)
    from advorch.cli.render import emit

    emit(found, columns(found), output)
    if not quiet:
        sys.stderr.write(next_steps(run))
