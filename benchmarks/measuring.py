"""What the benchmarks of the orchestrator share: CPU seconds of commands, figures with their goals, one table."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
LAB = ROOT / "tests/lab"
COMMAND_LINE = "from advorch.cli.app import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number, its goal if it has one, and how busy the machine was."""

    what: str
    value: float
    unit: str
    goal: float | None = None
    note: str = ""
    load: float = field(default_factory=lambda: round(os.getloadavg()[0], 2))

    def row(self) -> tuple[str, ...]:
        """As cells of a table."""
        goal = "" if self.goal is None else f"{self.goal:g}"
        verdict = "" if self.goal is None else "met" if self.value <= self.goal else "MISSED"
        return self.what, f"{self.value:.3f}", self.unit, goal, verdict, f"{self.load:.1f}", self.note


HEADS = ("what", "measured", "unit", "goal", "", "load", "note")
Measure = Callable[[bool], list[Figure]]


@dataclass(frozen=True, slots=True)
class Stand:
    """A private folder in which commands run as they would for a user: bytecode is kept, nothing of ours is set."""

    folder: Path
    path: tuple[Path, ...] = (LAB,)

    def environment(self) -> dict[str, str]:
        """Ours without what would change the measurement."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ADVORCH_", "PYTHON"))}
        paths = os.pathsep.join(map(str, [*self.path, *_inherited_path()]))
        return {**kept, "PYTHONPATH": paths, "PYTHONPYCACHEPREFIX": str(self.folder / "bytecode")}

    def cpu(self, code: str, arguments: Sequence[str | Path] = (), *, rounds: int) -> float:
        """Median CPU seconds, user and system, of `python -c code` and all that it starts; the first is thrown away."""
        return statistics.median([self.once(code, arguments) for _ in range(rounds + 1)][1:])

    def advorch(self, *arguments: str | Path, rounds: int) -> float:
        """The same of a command of ours."""
        return self.cpu(COMMAND_LINE, arguments, rounds=rounds)

    def once(self, code: str, arguments: Sequence[str | Path] = ()) -> float:
        """CPU seconds of a single run, which must succeed."""
        command = [sys.executable, "-c", code, *map(str, arguments)]
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment(), stdout=said, stderr=said, stdin=subprocess.DEVNULL
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                said.seek(0)
                raise RuntimeError(f"{command} ended with {process.returncode}: {said.read().decode()[-2000:]}")
        return usage.ru_utime + usage.ru_stime


def _inherited_path() -> list[str]:
    return [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]


@contextmanager
def stand(*path: Path, parent: Path | None = None) -> Iterator[Stand]:
    """A stand for as long as it is needed; further folders of plugins may be named."""
    with tempfile.TemporaryDirectory(prefix="advorch-benchmark-", dir=parent) as folder:
        yield Stand(Path(folder), (LAB, *path))


@dataclass
class Stopwatch:
    """CPU and wall seconds of this process since it was made."""

    cpu: float = field(default_factory=time.process_time)
    wall: float = field(default_factory=time.perf_counter)

    def read(self) -> tuple[float, float]:
        """So far."""
        return time.process_time() - self.cpu, time.perf_counter() - self.wall


def table(figures: Sequence[Figure]) -> str:
    """Columns of equal width."""
    rows = [HEADS, *(figure.row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def command(name: str, about: str | None, *measures: Measure) -> None:
    """The `main` of a benchmark: measure, print a table, write JSON where asked to."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions and smaller pipelines")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    figures = [figure for measure in measures for figure in measure(options.quick)]
    print(table(figures))
    if options.json:
        machine = {"python": platform.python_version(), "platform": platform.platform(), "cpus": os.cpu_count()}
        report = {"benchmark": name, "quick": options.quick, **machine, "figures": [asdict(one) for one in figures]}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
