"""Everything that is known of a search: its trials, and the searcher and scheduler that were told of them in turn."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from advorch.canonical import Json, digest
from advorch.tuning.journal import Asked, Closed, Ended, Journal, Record, Reported
from advorch.tuning.search import Outcome, Searcher, TrialState
from advorch.tuning.stopping import Exploit, Stopping, Verdict

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Trial:
    """One trial, as far as it has come; `key` is that of the cell that reported last.

    In a population it may go on from another's checkpoint: that of `source`, a key; `origin` names the whole descent.
    """

    number: int
    values: Mapping[str, Json]
    reports: list[tuple[int, float]] = field(default_factory=list)
    key: str = ""
    source: str = ""
    origin: str = ""
    verdict: Verdict | Exploit = Verdict.GO
    end: Ended | None = None

    @property
    def step(self) -> int:
        """The last step that was reported."""
        return self.reports[-1][0] if self.reports else 0


class Book:
    """Applies records in their order, so that a search that is resumed knows exactly what it knew."""

    def __init__(
        self, journal: Journal, searcher: Searcher, stopping: Stopping | None, limit: int | None = None
    ) -> None:
        self._limit = limit
        self._journal = journal
        self._searcher = searcher
        self._stopping = stopping
        self.trials: dict[int, Trial] = {}
        self._closed = -1

    def open(self) -> None:
        """Take in what the journal has."""
        for record in self._journal.read():
            if isinstance(record, Asked):
                self._compare(record, self._searcher.ask())
            self._apply(record)

    def ask(self) -> Trial | None:
        """A new trial, or None where the space is exhausted."""
        values = self._searcher.ask()
        if values is None:
            return None
        asked = Asked(number=len(self.trials), values=values)
        self._write(asked)
        return self.trials[asked.number]

    def report(self, number: int, step: int, value: float, key: str) -> Verdict | Exploit:
        """What becomes of a trial that has done a step; a step that was done before says nothing new."""
        trial = self.trials[number]
        if step <= trial.step:
            return trial.verdict if trial.verdict in (Verdict.STOP, Verdict.PAUSE) else Verdict.GO
        self._write(Reported(number=number, step=step, value=value, key=key))
        return trial.verdict

    def end(self, end: Ended) -> None:
        """The trial is over."""
        self._write(end)

    def freed(self) -> list[int]:
        """The paused trials that may go on; those that may not are over."""
        if self._stopping is None:
            return []
        onward, over = self._stopping.freed()
        for number in onward:
            self.trials[number].verdict = Verdict.GO
        for number in over:
            self.trials[number].verdict = Verdict.STOP
        return onward

    def close(self) -> None:
        """No trial will be added for now."""
        if self._stopping is not None and self._closed != len(self.trials):
            self._write(Closed(trials=len(self.trials)))

    @property
    def finished(self) -> list[Trial]:
        """The trials that are over, by number."""
        return [trial for trial in self.trials.values() if trial.end]

    @property
    def counted(self) -> list[Trial]:
        """Those of them that a search of this length has: a longer one may have gone on with the same journal."""
        return [trial for trial in self.finished if self._limit is None or trial.number < self._limit]

    def _write(self, record: Record) -> None:
        self._journal.write(record)
        self._apply(record)

    def _apply(self, record: Record) -> None:
        if isinstance(record, Asked):
            self.trials[record.number] = Trial(number=record.number, values=record.values)
            if self._stopping:
                self._stopping.added(record.number, record.values)
        elif isinstance(record, Reported):
            self._reported(record)
        elif isinstance(record, Ended):
            self._ended(record)
        elif self._stopping:
            self._closed = record.trials
            self._stopping.closed()

    def _reported(self, record: Reported) -> None:
        trial = self.trials[record.number]
        trial.reports.append((record.step, record.value))
        trial.key = record.key
        if self._stopping:
            trial.verdict = self._stopping.reported(record.number, record.step, record.value)
        if isinstance(trial.verdict, Exploit):
            donor = self.trials[trial.verdict.donor]
            descent: list[Json] = [
                donor.origin,
                dict(donor.values),
                donor.step,
                record.step,
                dict(trial.verdict.values),
            ]
            trial.origin, trial.source, trial.values = digest(descent), donor.key, trial.verdict.values

    def _ended(self, record: Ended) -> None:
        trial = self.trials[record.number]
        if trial.end:
            return
        trial.end = record
        self._searcher.tell(record.number, record.outcome)
        if self._stopping:
            completed = record.outcome.state is TrialState.DONE and trial.reports
            self._stopping.ended(record.number, trial.step, trial.reports[-1][1] if completed else None)

    def _compare(self, record: Asked, values: Mapping[str, Json] | None) -> None:
        if values != record.values:
            log.warning(
                "trial %d was drawn as %s and would be drawn as %s now: another version of the search algorithm?",
                record.number, dict(record.values), dict(values or {}),
            )  # fmt: skip


def outcome_of(trial: Trial, state: TrialState) -> Outcome:
    """The outcome of a trial that measured no objective."""
    return Outcome(state=state, reports=tuple(trial.reports))
