"""Printing what the cells of a run print: at once, or as it comes."""

import sys
import time
from pathlib import Path

from advorch.cli.render import say
from advorch.cli.watching import POLL, Check, ended, nothing_to_check
from advorch.errors import UsageError
from advorch.spec.suggest import hint as suggestion
from advorch.tracking.journal import FILE, read
from advorch.tracking.lines import Narrator
from advorch.tracking.liveness import Life, life
from advorch.tracking.logs import LogTail, concerns
from advorch.tracking.runs import RunRecord, apply, load_run


def print_logs(folder: Path, stage: str, tail: int | None) -> None:
    """Everything that is there now."""
    record = load_run(folder)
    cells = [cell for cell in record.cells if concerns(cell, stage)]
    if stage and not cells:
        known = dict.fromkeys([cell.stage or cell.cell for cell in record.own.values()])
        raise UsageError(f"run {folder.name} has no stage '{stage}'", hint=suggestion(stage, known))
    logs = LogTail(folder, cells)
    if tail:
        logs.skip_to_last(tail)
    if not _print(logs, several=len(cells) > 1, torn=True):
        say("the cells printed nothing" if len(cells) != 1 else f"{cells[0]} printed nothing")


def follow_run(folder: Path, stage: str, tail: int | None, check: Check = nothing_to_check) -> int | None:
    """Logs to stdout and changes to stderr until the run ends; its exit code, or None if its driver went away."""
    watch = _Watch(folder, stage)
    watch.look()
    if tail:
        watch.logs.skip_to_last(tail)
    while True:
        check()
        gone = life(folder) is Life.DEAD
        watch.look()
        code = ended(folder, watch.record, gone=gone)
        over = gone or code is not None
        _print(watch.logs, several=len(watch.record.cells) > 1, torn=over)
        if over:
            return code
        time.sleep(POLL)


class _Watch:
    """The journal read on and on, its changes said."""

    def __init__(self, folder: Path, stage: str) -> None:
        self.record = RunRecord(folder=folder, run=folder.name, life=life(folder))
        self.logs = LogTail(folder)
        self._stage = stage
        self._narrator = Narrator(asked=stage)
        self._offset = 0

    def look(self) -> None:
        """Take in what is new."""
        for entry in read(self.record.folder / FILE, self._offset):
            self._offset = entry.offset
            apply(self.record, entry.event, entry.at)
            line = self._narrator.line(entry.event)
            if line and concerns(getattr(entry.event, "cell", self._stage), self._stage):
                say(f"[{time.strftime('%H:%M:%S', time.localtime(entry.at))}] {line}")
        for cell in self.record.cells:
            if concerns(cell, self._stage):
                self.logs.add(cell)


def _print(logs: LogTail, *, several: bool, torn: bool) -> int:
    """How many lines there were."""
    count = 0
    for cell, line in logs.fresh(torn=torn):
        sys.stdout.write(f"{cell} | {line}\n" if several else f"{line}\n")
        count += 1
    sys.stdout.flush()
    return count
