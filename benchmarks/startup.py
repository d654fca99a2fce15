"""What the command line costs before it does anything, with twenty third-party plugins installed.

    python benchmarks/startup.py [--quick] [--json out.json]

CPU seconds, user and system, against `python -c "import typer"`: what any command line on typer costs.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from files import plugins
from measuring import Figure, command, stand

PLUGINS = 20
TWICE = 2.0


def measure(quick: bool) -> list[Figure]:
    """Help, version and the list of plugins."""
    rounds = 7 if quick else 15
    with TemporaryDirectory(prefix="advorch-plugins-") as installed, stand(plugins(Path(installed), PLUGINS)) as at:
        typer = at.cpu("import typer", rounds=rounds)
        nothing = at.cpu("pass", rounds=rounds)
        version = at.advorch("--version", rounds=rounds)
        help_ = at.advorch("--help", rounds=rounds)
        noun = at.advorch("pipeline", "--help", rounds=rounds)
        listed = at.advorch("plugin", "list", rounds=rounds)
    ratio = Figure(what="advorch --help / import typer", value=help_ / typer, unit="ratio", goal=TWICE)
    return [
        Figure(what="python -c pass", value=nothing, unit="CPU-s"),
        Figure(what='python -c "import typer"', value=typer, unit="CPU-s"),
        Figure(what="advorch --version", value=version, unit="CPU-s", goal=0.06),
        Figure(what="advorch --help", value=help_, unit="CPU-s", note=f"{PLUGINS} plugins installed"),
        ratio,
        Figure(what="advorch pipeline --help", value=noun, unit="CPU-s", note="typer asks pydantic here"),
        Figure(what="advorch plugin list", value=listed, unit="CPU-s", note=f"all {PLUGINS} and our own imported"),
    ]


if __name__ == "__main__":
    command("startup", __doc__, measure)
