"""`advorch pipeline validate | plan | graph | explain | new`: looking at a pipeline without running it."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advorch.cli.render import Format, emit
from advorch.errors import Problem, UsageError

if TYPE_CHECKING:
    from advorch.cli.opening import Opened
    from advorch.plan.preview import Row

File = Annotated[Path, typer.Argument(help="the pipeline file")]
Overrides = Annotated[list[str] | None, typer.Option("-S", "--set", help="key=value, over file and profile")]
Profile = Annotated[str, typer.Option(help="one of the file's profiles")]
NoPlugin = Annotated[list[str] | None, typer.Option(help="do not load this plugin")]
Output = Annotated[Format, typer.Option("-o", "--output", help="form of what goes to stdout")]


def validate(
    file: File, set_: Overrides = None, profile: Profile = "", no_plugin: NoPlugin = None, output: Output = Format.TABLE
) -> None:
    """Check a file against the installed plugins, without reading data; `-o json` lists problems for an editor."""
    from advorch.cli.opening import open_plan
    from advorch.errors import InvalidPipeline

    try:
        opened = open_plan(file, profile=profile, overrides=set_ or (), no_plugin=no_plugin or (), read_data=False)
    except InvalidPipeline as error:
        if output is Format.TABLE:
            raise
        emit([_problem_row(problem) for problem in error.problems], (), output)
        raise typer.Exit(error.exit_code) from None
    if output is Format.TABLE:
        _warn(opened.plan.warnings)
        stages = len({cell.stage for cell in opened.plan.cells.values()})
        _say(f"{file}: valid, {_count(stages, 'stage')}, {_count(len(opened.plan.cells), 'cell')}")
    else:
        emit([_problem_row(problem) for problem in opened.plan.warnings], (), output)


def plan(
    file: File,
    set_: Overrides = None,
    profile: Profile = "",
    only: Annotated[list[str] | None, typer.Option(help="just these stages")] = None,
    from_: Annotated[list[str] | None, typer.Option("--from", help="these stages and what follows")] = None,
    until: Annotated[list[str] | None, typer.Option(help="these stages and what they need")] = None,
    force: Annotated[list[str] | None, typer.Option(help="as if these stages were not cached, or `all`")] = None,
    detailed_exitcode: Annotated[bool, typer.Option(help="exit with 4 when there is something to run")] = False,
    show_origin: Annotated[bool, typer.Option(help="where each final value was set")] = False,
    no_plugin: NoPlugin = None,
    output: Output = Format.TABLE,
) -> None:
    """Show what a run would compute, what is cached, and why."""
    from advorch.cli.opening import open_plan, store_of
    from advorch.plan.preview import preview
    from advorch.plan.selection import Selection, forced

    selection = Selection(only=tuple(only or ()), from_=tuple(from_ or ()), until=tuple(until or ()))
    opened = open_plan(file, profile=profile, overrides=set_ or (), no_plugin=no_plugin or (), selection=selection)
    rows = preview(opened.plan, store_of(opened.spec), forced(force or (), opened.plan.labels()))
    _warn(opened.plan.warnings)
    _show_plan(opened, rows, show_origin, output)
    flags = {"-S": set_, "--profile": [profile] if profile else [], "--only": only, "--from": from_}
    flags |= {"--until": until, "--force": force, "--no-plugin": no_plugin}
    _tell_plan(opened, rows, _command(file, flags))
    if detailed_exitcode and any(row.is_work for row in rows):
        raise typer.Exit(4)


def graph(
    file: File,
    format_: Annotated[str, typer.Option("--format", help="mermaid, dot or json")] = "mermaid",
    status: Annotated[bool, typer.Option(help="with what a run would do with each cell")] = False,
    set_: Overrides = None,
    profile: Profile = "",
    no_plugin: NoPlugin = None,
) -> None:
    """Draw the cells of a pipeline as text for Mermaid or Graphviz, or as JSON."""
    from advorch.cli.opening import open_plan, store_of
    from advorch.plan.graph import GraphFormat
    from advorch.plan.graph import graph as draw
    from advorch.plan.preview import preview

    if format_ not in list(GraphFormat):
        raise UsageError(f"there is no graph format '{format_}'", hint=f"formats: {', '.join(GraphFormat)}")
    opened = open_plan(file, profile=profile, overrides=set_ or (), no_plugin=no_plugin or (), read_data=status)
    rows = preview(opened.plan, store_of(opened.spec)) if status else []
    sys.stdout.write(draw(opened.plan, GraphFormat(format_), {row.cell: row.state.value for row in rows}))


def explain(
    file: File,
    cell: Annotated[str, typer.Argument(help="a stage, or a cell such as attack[name=pgd,*]")],
    set_: Overrides = None,
    profile: Profile = "",
    no_plugin: NoPlugin = None,
    output: Output = Format.TABLE,
) -> None:
    """Say why a cell is cached or not: which parts of its key differ from the nearest result."""
    from advorch.cli.opening import open_plan, store_of
    from advorch.plan.preview import preview
    from advorch.plan.selection import find_cells

    opened = open_plan(file, profile=profile, overrides=set_ or (), no_plugin=no_plugin or ())
    wanted = find_cells(cell, opened.plan.labels(), "explain")
    rows = [row for row in preview(opened.plan, store_of(opened.spec)) if row.cell in wanted]
    parts = [
        {"cell": row.cell, "part": found.part, "before": found.before, "now": found.now}
        for row in rows
        for found in row.differences
    ]
    for row in rows:
        _say(_explained(row))
    if parts or output is not Format.TABLE:
        emit(parts, ["part", "before", "now"] if len(rows) == 1 else ["cell", "part", "before", "now"], output)


def new(
    path: Annotated[Path, typer.Argument(help="the file to write")] = Path("pipeline.yaml"),
) -> None:
    """Write a small pipeline that is valid, runs anywhere and shows how stages connect."""
    from advorch.cli.starter import starter

    if path.exists():
        raise UsageError(f"{path} is already there", hint="choose another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(starter(path), encoding="utf-8")
    _say(f"wrote {path}\nNext:\n  advorch pipeline plan {path}\n  advorch pipeline run {path}")


def _show_plan(opened: "Opened", rows: "Sequence[Row]", show_origin: bool, output: Format) -> None:
    from advorch.plan.origin import origins

    found = {row.cell: origins(opened.plan, row.cell) for row in rows} if show_origin else {}
    plain = [_row(row) for row in rows]
    if output is not Format.TABLE:
        for record in plain if show_origin else ():
            record["parameters"] = [
                {"parameter": item.parameter, "value": item.value, "origin": item.origin}
                for item in found[record["cell"]]
            ]
        emit(plain, (), output)
        return
    emit(plain, ["cell", "uses", "state", "reason"])
    if show_origin:
        sys.stdout.write("\n")
        lines = [
            {"cell": item.cell, "parameter": item.parameter, "value": _short(item.value), "origin": item.origin}
            for items in found.values()
            for item in items
        ]
        emit(lines, ["cell", "parameter", "value", "origin"])


def _command(file: Path, flags: Mapping[str, Sequence[str] | None]) -> str:
    """The run that was planned, to copy."""
    given = [word for flag, values in flags.items() for value in values or () for word in (flag, value)]
    return shlex.join(["advorch", "pipeline", "run", str(file), *given])


def _tell_plan(opened: "Opened", rows: "Sequence[Row]", command: str) -> None:
    """For people: whose code will run, how much there is to do, and the next command."""
    from advorch.plan.origin import owners

    for owner, components in owners(opened.plan, opened.registry).items():
        _say(f"code of {owner}: {', '.join(components)}")
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.state.value] = counts.get(row.state.value, 0) + 1
    _say(", ".join(f"{count} {state}" for state, count in counts.items()) or "no cells")
    if any(row.is_work for row in rows):
        _say(f"Next:\n  {command}")


def _row(row: "Row") -> dict[str, Any]:
    return {
        "cell": row.cell,
        "stage": row.stage,
        "uses": row.component,
        "state": row.state.value,
        "reason": row.reason,
        "key": row.key,
    }


def _explained(row: "Row") -> str:
    if row.differences:
        return f"{row.cell}: not computed with this key; against the nearest result of {row.component}:"
    return f"{row.cell}: {row.state.value}" + (f", {row.reason}" if row.reason else f" under the key {row.key}")


def _problem_row(problem: Problem) -> dict[str, Any]:
    place = problem.place
    return {
        "level": "warning" if problem.warning else "error",
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
        "file": place.source if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "length": place.length if place else None,
    }


def _short(value: object) -> str:
    import json

    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _warn(problems: Sequence[Problem]) -> None:
    for problem in problems:
        _say(problem.render())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
