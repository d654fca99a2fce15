"""The command line's front: the commands by noun, and the only place where errors become text and exit codes."""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer


def main() -> None:
    """Run the command line; user errors print as they render themselves, bugs as tracebacks."""
    if sys.argv[1:] == ["--version"]:  # before anything is imported
        print_version()
        sys.exit(0)
    os.environ.setdefault("TYPER_USE_RICH", "0")  # help is rendered without rich: it is most of the start-up
    from advorch.errors import AdvorchError

    try:
        build_app()()
    except AdvorchError as error:
        sys.stderr.write(error.render() + "\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def print_version() -> None:
    """One line on stdout."""
    from advorch import __version__

    sys.stdout.write(f"advorch {__version__}\n")


def build_app() -> "typer.Typer":
    """All commands by noun; typer is imported here so that the module costs nothing."""
    import typer

    from advorch.cli import cache, cluster, doctor, pipeline, plugin, root, run, schema, sweep

    app = typer.Typer(
        name="advorch",
        help="Train, attack, defend, generate and evaluate neural networks adversarially.",
        epilog=EXIT_CODES,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(root.root)
    app.add_typer(pipeline.app, name="pipeline", help="Check, show and run a pipeline file.")
    app.add_typer(run.app, name="run", help="Look at runs, stop them, compare them.")
    app.add_typer(sweep.app, name="sweep", help="Look at searches, go on with them, choose what they hand on.")
    app.add_typer(plugin.app, name="plugin", help="List, show, check and start plugins.")
    app.add_typer(cache.app, name="cache", help="Look after stored results.")
    app.add_typer(cluster.app, name="cluster", help="Write the files that start a cluster.")
    app.command(name="schema")(schema.schema_command)
    app.command(name="doctor")(doctor.doctor_command)
    return app


EXIT_CODES = (
    "Exit codes: 0 done; 1 a stage failed; 2 usage; 3 invalid pipeline or plugin; 4 plan has work; "
    "5 a tolerated failure; 6 stopped; 7 deadline; 8 infrastructure; 9 claimed by a live run."
)
