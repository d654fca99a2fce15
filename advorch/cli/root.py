"""What `advorch` itself takes, before any noun."""

from typing import Annotated

import typer


def _print_version(wanted: bool) -> None:
    from advorch.cli.app import print_version

    if wanted:
        print_version()
        raise typer.Exit


def root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """The options of no command."""
