"""Checking a pipeline file, and running one of which everything is cached.

    python benchmarks/planning.py [--quick] [--json out.json]

Files of 100 and 1,000 stages: `no-ops` are the barest there are; `walks` have parameters, expressions and inputs.
A cached run is also watched: it may import neither torch nor ray nor mlflow, and start no process.
"""

from collections.abc import Callable
from pathlib import Path

from files import no_ops, walks
from measuring import COMMAND_LINE, Figure, Stand, command, stand

SIZES = (100, 1000)
VALIDATE = {100: 0.35, 1000: 0.8}
CACHED = {100: 0.45, 1000: 1.3}

WATCHED = f"""
import sys
started = []
starts = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec")
sys.addaudithook(lambda event, _: started.append(event) if event in starts else None)
try:
    {COMMAND_LINE}
except SystemExit as end:
    assert not end.code, end.code
heavy = {{"torch", "ray", "mlflow"}}.intersection(sys.modules)
assert not heavy, f"a cached run imports {{heavy}}"
assert not started, f"a cached run starts a process: {{started}}"
"""


def measure(quick: bool) -> list[Figure]:
    """Both kinds of files in both sizes."""
    rounds = 3 if quick else 7
    with stand() as at:
        return [
            figure
            for write in ((no_ops,) if quick else (no_ops, walks))
            for size in SIZES
            for figure in _of(at, write, size, rounds)
        ]


def _of(at: Stand, write: Callable[[Path, int], Path], size: int, rounds: int) -> list[Figure]:
    file = write(at.folder, size)
    kind = write.__name__.replace("_", "-")
    valid = at.advorch("pipeline", "validate", file, rounds=rounds)
    at.once(COMMAND_LINE, ["pipeline", "run", file, "--executor", "inline", "-q"])
    at.once(WATCHED, ["pipeline", "run", file])
    planned = at.advorch("pipeline", "plan", file, rounds=rounds)
    cached = at.advorch("pipeline", "run", file, "-q", rounds=rounds)
    name = f"{size} {kind}"
    return [
        Figure(what=f"validate {name}", value=valid, unit="CPU-s", goal=VALIDATE[size]),
        Figure(what=f"plan {name}, cached", value=planned, unit="CPU-s"),
        Figure(
            what=f"run {name}, cached", value=cached, unit="CPU-s", goal=CACHED[size], note="nothing heavy, no process"
        ),
    ]


if __name__ == "__main__":
    command("planning", __doc__, measure)
