"""The options that running and submitting a pipeline share."""

from pathlib import Path
from typing import Annotated

import typer

from advorch.cli.render import Format

File = Annotated[Path, typer.Argument(help="the pipeline file")]
Overrides = Annotated[list[str] | None, typer.Option("-S", "--set", help="key=value, over file and profile")]
Profile = Annotated[str, typer.Option(help="one of the file's profiles")]
Only = Annotated[list[str] | None, typer.Option(help="just these stages")]
From = Annotated[list[str] | None, typer.Option("--from", help="these stages and what follows")]
Until = Annotated[list[str] | None, typer.Option(help="these stages and what they need")]
Force = Annotated[list[str] | None, typer.Option(help="compute these stages again, or `all`")]
Jobs = Annotated[int | None, typer.Option("-j", "--jobs", min=1, help="cells at a time")]
KeepGoing = Annotated[bool, typer.Option("-k", "--keep-going", help="go on after a failed stage")]
Executor = Annotated[str, typer.Option(help="ray or inline")]
Wait = Annotated[bool, typer.Option(help="wait for a live run of the same key")]
NoPlugin = Annotated[list[str] | None, typer.Option(help="do not load this plugin")]
Output = Annotated[Format, typer.Option("-o", "--output", help="form of the final table")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="say only what failed")]
RunId = Annotated[
    str, typer.Option(metavar="NAME", help="what to call the run; by default the time", show_default=False)
]
