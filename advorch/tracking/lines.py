"""What a person reads of an event: one line a change, as plain text."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from advorch.events import (
    CellFinished,
    CellProgressed,
    CellReported,
    CellRetried,
    CellStarted,
    CellWaiting,
    Event,
    RunFinished,
    RunStarted,
    Status,
)
from advorch.tracking.addresses import TRIAL, is_own, level, line_of
from advorch.tracking.searches import Searches

SHOWN_METRICS = 4

_CellEvent: TypeAlias = CellStarted | CellReported | CellProgressed | CellRetried | CellWaiting | CellFinished


@dataclass
class Narrator:
    """Turns events into lines; remembers what it must to count, and to say nothing twice.

    Of a sweep a person reads its trials, not the cells inside them, unless one trial is `asked` for.
    """

    asked: str = ""
    run: str = ""
    counts: Counter[Status] = field(default_factory=Counter)
    waiting: dict[str, str] = field(default_factory=dict)
    searches: Searches = field(default_factory=Searches)

    def line(self, event: Event) -> str | None:
        """The line for an event, or None when there is nothing new to say."""
        if isinstance(event, RunStarted):
            self.run = event.run
            return f"run {event.run}  {event.pipeline}: {_count(len(event.cells), 'cell')}, {event.executor}"
        if isinstance(event, RunFinished):
            return f"run {event.run} {self._tally(event.exit_code)} in {duration(event.seconds)}"
        return self._of_cell(event)

    def _of_cell(self, event: _CellEvent) -> str | None:
        if isinstance(event, CellWaiting):
            return self._waits(event)
        if isinstance(event, CellRetried):
            return retried(event)
        if isinstance(event, CellFinished) and is_own(event.cell):
            self.counts[event.status] += 1
        if self._is_trial(event):
            return self._of_trial(event)
        return None if self._is_deep(event.cell) else self._of_stage(event)

    def _is_trial(self, event: _CellEvent) -> bool:
        named = isinstance(event, CellStarted | CellFinished) and event.component == TRIAL
        return named or self.searches.runs(event.cell)

    def _is_deep(self, cell: str) -> bool:
        """Whether a cell is inside a trial that nobody asked for."""
        return level(cell) - (level(self.asked) if self.asked else 0) > 1

    def _of_stage(self, event: _CellEvent) -> str | None:
        if isinstance(event, CellFinished):
            return finished(self.searches.headed(event))
        if isinstance(event, CellStarted):
            self.waiting.pop(event.cell, None)
            if "objective" in event.params:
                self.searches.open(event)
            return f"{event.cell} started" + (f", attempt {event.attempt}" if event.attempt > 1 else "")
        return advanced(event)

    def _of_trial(self, event: _CellEvent) -> str | None:
        if isinstance(event, CellStarted):
            return self.searches.started(event)
        if isinstance(event, CellReported):
            return self.searches.reported(event)
        if isinstance(event, CellFinished):
            return self.searches.finished(event, duration(event.seconds) if event.seconds else "")
        return advanced(event)

    def _waits(self, event: CellWaiting) -> str | None:
        """Once a reason and cell; of all the cells inside a sweep once."""
        who = line_of(event.cell)[0]
        if self.waiting.get(who) == event.reason:
            return None
        self.waiting[who] = event.reason
        return f"{event.cell} waits for {event.reason.removeprefix('waits for ')}"

    def _tally(self, code: int) -> str:
        parts = [f"{self.counts[status]} {status.value}" for status in Status if self.counts[status]]
        return ", ".join(parts) or ("had nothing to do" if not code else f"ended with exit code {code}")


def finished(event: CellFinished) -> str:
    """How a cell ended, and with what."""
    words = [event.cell, event.status.value]
    if event.seconds and event.status in (Status.DONE, Status.FAILED, Status.STOPPED):
        words.append(f"in {duration(event.seconds)}")
    if event.error_class:
        words.append(f"({event.error_class})")
    text = " ".join([*words, *metric_words(event.metrics)])
    text += f": {event.message}" if event.message else ""
    return text + (f" (without {', '.join(event.missing)})" if event.missing else "")


def retried(event: CellRetried) -> str:
    """Which retry comes next, why and when."""
    of = f" of {event.most}" if event.most else ""
    wait = f" in {duration(event.delay)}" if event.delay else ""
    message = f": {event.message}" if event.message else ""
    return f"{event.cell} retry {event.attempt}{of} after {event.error_class}{wait}{message}"


def advanced(event: Event) -> str | None:
    """How far a running cell is."""
    if isinstance(event, CellReported):
        return " ".join([event.cell, f"step {event.step}", *metric_words(event.metrics)])
    if isinstance(event, CellProgressed):
        share = f" {100 * event.done // event.total}%" if event.total else ""
        return " ".join([f"{event.cell} {event.done}/{event.total}{share}", *metric_words(event.metrics)])
    return None


def metric_words(metrics: Mapping[str, float], most: int = SHOWN_METRICS) -> list[str]:
    """The first few metrics as name=value, and how many more there are."""
    words = [f"{name}={value:.4g}" for name, value in list(metrics.items())[:most]]
    return words + ([f"(+{len(metrics) - most} metrics)"] if len(metrics) > most else [])


def duration(seconds: float) -> str:
    """Seconds as a person says them: 0.4s, 3.2s, 1m05s, 2h10m."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
