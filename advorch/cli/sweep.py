"""`advorch sweep`: searches as they stand, how to go on with them, and what they hand on; one command a verb."""

from typing import Annotated

import typer

from advorch.cli import options
from advorch.cli.render import Format, emit, say, suggest

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Target = Annotated[str, typer.Argument(metavar="FILE|RUN", help="a pipeline file, or a run's id or `last`")]
Stage = Annotated[str, typer.Argument(metavar="[STAGE]", help="the sweep's stage, or one of its cells")]
Output = Annotated[Format, typer.Option("-o", "--output", help="form of the data on stdout")]


@app.command()
def show(
    target: Target,
    stage: Stage = "",
    set_: options.Overrides = None,
    profile: options.Profile = "",
    no_plugin: options.NoPlugin = None,
    output: Output = Format.TABLE,
) -> None:
    """Show how far a search is, what it has used, its best trial so far, and what comes next."""
    from advorch.cli.sweep_rows import STANDING, comes_next, standing
    from advorch.cli.sweep_target import open_target

    opened = open_target(target, stage, set_, profile, no_plugin)
    emit([standing(sweep) for sweep in opened.sweeps], STANDING, output)
    for sweep in opened.sweeps:
        lines, commands = comes_next(sweep, opened)
        say(*lines)
        suggest(*commands)


@app.command()
def trials(
    target: Target,
    stage: Stage = "",
    set_: options.Overrides = None,
    profile: options.Profile = "",
    no_plugin: options.NoPlugin = None,
    sort: Annotated[str, typer.Option(help="by this column; `-column` has the largest first")] = "rank",
    limit: Annotated[int, typer.Option("-n", "--limit", min=0, help="only the first so many; 0 is all")] = 0,
    output: Output = Format.TABLE,
) -> None:
    """List the trials: the best first, then those that ended without a result."""
    from advorch.cli.sweep_rows import in_order, trial_columns, trial_rows
    from advorch.cli.sweep_target import open_target

    opened = open_target(target, stage, set_, profile, no_plugin)
    for sweep in opened.sweeps:
        rows = in_order(trial_rows(sweep, flat=output is Format.TABLE), sort)
        if len(opened.sweeps) > 1:
            say(f"{sweep.cell}:")
        emit(rows[:limit] if limit else rows, trial_columns(sweep), output)
        if not rows:
            say(f"{sweep.cell} has no trials yet")


@app.command()
def best(
    target: Target,
    stage: Stage = "",
    set_: options.Overrides = None,
    profile: options.Profile = "",
    no_plugin: options.NoPlugin = None,
    output: Output = Format.TABLE,
) -> None:
    """Show what the winners drew and measured; JSON has the `with:` of each inner stage, to paste."""
    from advorch.cli.sweep_rows import BEST, best_rows
    from advorch.cli.sweep_target import open_target
    from advorch.errors import UsageError

    opened = open_target(target, stage, set_, profile, no_plugin)
    rows = [row for sweep in opened.sweeps for row in best_rows(sweep)]
    if not rows:
        names = ", ".join(sweep.cell for sweep in opened.sweeps)
        raise UsageError(f"{names} has no winner yet", hint=f"see how far it is: advorch sweep show {target}")
    emit(rows, BEST, output)


@app.command()
def extend(
    file: options.File,
    stage: Stage = "",
    trials: Annotated[str, typer.Option(metavar="N|+N", help="so many in all, or so many more than there are")] = "",
    wall: Annotated[str, typer.Option(metavar="TIME", help="time on the clock for the whole search, such as 2h")] = "",
    gpu_hours: Annotated[str, typer.Option(metavar="HOURS", help="GPUs times hours for the whole search")] = "",
    set_: options.Overrides = None,
    profile: options.Profile = "",
    jobs: options.Jobs = None,
    keep_going: options.KeepGoing = False,
    executor: options.Executor = "ray",
    wait: options.Wait = True,
    no_plugin: options.NoPlugin = None,
    output: options.Output = Format.TABLE,
    quiet: options.Quiet = False,
    run_id: options.RunId = "",
) -> None:
    """Go on with a search for longer; without a new winner nothing that follows is computed again."""
    from advorch.cli import pipeline
    from advorch.cli.sweep_extending import Longer, command, overrides, to_keep

    longer = Longer(trials=trials, wall=wall, gpu_hours=gpu_hours)
    added = overrides(file, stage, longer, set_ or [], profile, no_plugin or [])
    every = [*(set_ or []), *added]
    say(command(file, every, profile, executor), to_keep(added))
    pipeline.run(
        file, set_=every, profile=profile, jobs=jobs, keep_going=keep_going, executor=executor, wait=wait,
        no_plugin=no_plugin, output=output, quiet=quiet, run_id=run_id,
    )  # fmt: skip


@app.command()
def promote(
    file: options.File,
    stage: Stage = "",
    trial: Annotated[int | None, typer.Option(min=0, help="hand this trial on, whichever wins")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="hand the winner on again")] = False,
    set_: options.Overrides = None,
    profile: options.Profile = "",
    no_plugin: options.NoPlugin = None,
) -> None:
    """Choose by hand what a sweep hands on; the choice stands in a lock file beside the pipeline."""
    from advorch.cli.sweep_extending import run_command
    from advorch.cli.sweep_promoting import clear_pin, set_pin
    from advorch.errors import UsageError

    if (trial is None) is not clear:
        raise UsageError("promote takes either --trial N or --clear", hint="see them: advorch sweep trials FILE STAGE")
    if trial is None:
        clear_pin(file, stage, profile)
    else:
        set_pin(file, stage, trial, set_ or [], profile, no_plugin or [])
    suggest(run_command(file, set_ or [], profile))
