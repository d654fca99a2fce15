"""A sweep over the lab's walks, and what became of its trials."""

from pathlib import Path
from typing import Any

import advorch
from advorch.engine.driver import Policy
from advorch.events import CellFinished
from advorch.session.result import Run
from advorch.session.running import Options
from advorch.tracking.journal import FILE, read

# The random part of a walk is the same in every trial: the farther it starts, the farther it ends.
SWEEP = """
  best:
    tune:
      space: {start: {uniform: [0, 1]}}
      objective: {metric: walk.end, goal: maximize}
      search: {algorithm: random, trials: TRIALS, concurrency: 1}
      EXTRA
    stages:
      walk:
        uses: train/walk
        with: {steps: 3, start: "${trial.start}", diary: DIARY}
    out: {table: walk.table}
  after:
    uses: evaluate/join
    in: {tables: [best.table]}
"""


def run(path: Path, **policy: Any) -> Run:
    options = Options(executor="inline", quiet=True, policy=Policy(**policy))
    return advorch.load(path).plan().run(options)


def sweep(workspace: Path, trials: int = 5, extra: str = "") -> str:
    text = SWEEP.replace("TRIALS", str(trials)).replace("DIARY", str(workspace / "diary"))
    return text.replace("EXTRA", extra.replace("\n", "\n      ") if extra else "")


def statuses(done: Run) -> dict[str, str]:
    return {cell: status.value for cell, status in done.statuses.items()}


def steps(workspace: Path) -> int:
    path = workspace / "diary"
    return len(path.read_text().splitlines()) if path.exists() else 0


def trials(workspace: Path, which: int = -1) -> dict[str, CellFinished]:
    """How the trials of a run ended, by number; of the newest run."""
    folder = sorted((workspace / ".advorch" / "runs").iterdir())[which]
    events = [entry.event for entry in read(folder / FILE)]
    ends = {
        event.cell.split("/")[1]: event for event in events if isinstance(event, CellFinished) and "/" in event.cell
    }
    return {
        event.cell.split("/")[1]: event
        for event in events
        if isinstance(event, CellFinished) and event.component == "core/trial"
    } or ends


def drawn(workspace: Path, which: int = -1) -> list[Any]:
    return [trials(workspace, which)[str(number)].params for number in range(len(trials(workspace, which)))]
