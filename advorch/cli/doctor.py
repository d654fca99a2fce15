"""`advorch doctor`: whether this machine has what a run needs."""

from typing import Annotated

import typer

from advorch.cli.render import Format, emit, say

UNFIT = 8


def doctor_command(
    output: Annotated[Format, typer.Option("-o", "--output", help="form of the data on stdout")] = Format.TABLE,
    no_plugin: Annotated[list[str], typer.Option(help="do not load this plugin")] = [],  # noqa: B006
) -> None:
    """Look for what would make a run fail; exit 8 if there is something."""
    from advorch.cli.examination import State, examine

    findings = examine(no_plugin)
    rows = [{"what": found.what, "state": found.state.value, "detail": found.detail} for found in findings]
    emit(rows, ("what", "state", "detail"), output)
    problems = [found for found in findings if found.state is State.PROBLEM]
    say(*(f"{found.what}: {found.remedy}" for found in findings if found.remedy))
    raise typer.Exit(UNFIT if problems else 0)
