"""`advorch pipeline`: one command a verb."""

import contextlib
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from advorch.cli import options, submit
from advorch.cli import plan as planning
from advorch.cli.render import Format

if TYPE_CHECKING:
    from advorch.session.result import Run
    from advorch.tracking.stream import EventStream

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.command()(planning.validate)
app.command()(planning.plan)
app.command()(planning.graph)
app.command()(planning.explain)
app.command()(planning.new)
app.command()(submit.submit)


@app.command()
def run(
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
    address: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="run on this Ray cluster, from one of its machines")
    ] = "",
    events: Annotated[bool, typer.Option("--events", help="every event to stdout as it comes, for a follower")] = False,
) -> None:
    """Run what is not cached yet."""
    from advorch.engine.driver import Policy
    from advorch.plan.selection import Selection
    from advorch.session.pipeline import load
    from advorch.session.running import Options, executor_named
    from advorch.session.signals import leave

    stream = _greeting() if events else None
    pipeline = load(file, profile=profile, overrides=set_ or (), no_plugins=no_plugin or ())
    planned = pipeline.plan(Selection(only=tuple(only or ()), from_=tuple(from_ or ()), until=tuple(until or ())))
    for warning in planned.warnings:
        sys.stderr.write(warning.render() + "\n")
    policy = Policy(jobs=jobs, keep_going=keep_going, force=frozenset(force or ()))
    chosen = Options(
        at_second_signal=leave, executor=executor_named(executor), policy=policy, wait=wait, quiet=quiet, run=run_id,
        address=_ray_address(address, executor), events=stream,
    )  # fmt: skip
    with contextlib.redirect_stdout(sys.stderr):  # stdout carries data: what libraries print goes to people
        finished = planned.run(chosen)
    if not events:
        _show(finished, output, quiet=quiet)
    raise typer.Exit(finished.exit_code)


def _greeting() -> "EventStream":
    """The first word of a driver that is followed, before anything can go wrong with its pipeline."""
    import platform

    from advorch import __version__
    from advorch.tracking.stream import EventStream

    stream = EventStream(sys.stdout)
    stream.greet(platform.node(), __version__)
    return stream


def _ray_address(address: str, executor: str) -> str:
    from advorch.errors import UsageError

    if address.startswith(("http://", "https://")):
        hint = "that is a dashboard: advorch pipeline submit --dashboard URL; Ray itself listens on port 6379"
        raise UsageError(f"'{address}' is not the address of Ray itself", hint=hint)
    if address and executor == "inline":
        raise UsageError("--executor inline uses no cluster", hint="leave one of --address and --executor inline out")
    return address


def _show(run: "Run", output: Format, *, quiet: bool) -> None:
    from advorch.cli.summary import columns, next_steps, rows

    found = rows(run)
    from advorch.cli.render import emit

    emit(found, columns(found), output)
    if not quiet:
        sys.stderr.write(next_steps(run))
