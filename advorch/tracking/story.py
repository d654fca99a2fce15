"""A run as nested records: the pipeline, its cells below it, a sweep's trials below its cell."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from advorch.events import CellFinished, CellReported, CellRetried, CellStarted, Event, RunFinished, RunStarted, Status
from advorch.tracking.addresses import TRIAL, is_own, line_of
from advorch.tracking.journal import Entry
from advorch.tracking.names import flat
from advorch.tracking.recorder import PIPELINE, Opening, Point, Recorder, Refused, datasets, digests
from advorch.tracking.results import Results

log = logging.getLogger(__name__)

_ENDINGS = {Status.FAILED: "FAILED", Status.STOPPED: "KILLED", Status.PRUNED: "KILLED"}
_STOPPED = 6


@dataclass
class Memory:
    """What later events need of earlier ones; rebuilt from the journal after a restart."""

    ended: bool = False
    steps: dict[str, int] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    produced: dict[str, str] = field(default_factory=dict)
    last: float = 0.0

    def keep(self, event: Event) -> None:
        """Take in one event that was told."""
        if isinstance(event, CellReported):
            self.steps[event.cell] = max(event.step, self.steps.get(event.cell, 0))
        elif isinstance(event, CellStarted):
            self.running.add(event.cell)
        elif isinstance(event, CellFinished):
            self.running.discard(event.cell)
            self.produced |= {digest: f"{event.cell}.{port}" for port, digest in event.outputs.items()}
        elif isinstance(event, RunFinished):
            self.ended = True


class Story:
    """Says to a recorder what each event means."""

    def __init__(self, recorder: Recorder, results: Results) -> None:
        self._recorder = recorder
        self._results = results
        self._memory = Memory()

    @property
    def ended(self) -> bool:
        """Whether the run's own last event was told."""
        return self._memory.ended

    def begin(self) -> bool:
        """Forget, and ask the recorder what it knows of the run."""
        self._memory = Memory()
        return self._recorder.begin()

    def remember(self, entry: Entry) -> None:
        """Take in an event that was told before."""
        self._memory.keep(entry.event)
        self._memory.last = entry.at

    def tell(self, group: Sequence[Entry]) -> None:
        """Tell reports together, or one event of another kind."""
        reports = [entry for entry in group if isinstance(entry.event, CellReported)]
        if reports:
            self._reports(reports)
        else:
            self._one(group[0].event, group[0].at)
        for entry in group:
            self.remember(entry)

    def abandon(self) -> None:
        """End what a driver that died left running."""
        for cell in [*sorted(self._memory.running, reverse=True), PIPELINE]:
            if self._recorder.known(cell):
                self._recorder.tags(cell, {"advorch.interrupted": "true"})
                self._recorder.close(cell, "KILLED", self._memory.last)

    def _one(self, event: Event, at: float) -> None:
        if isinstance(event, RunStarted):
            self._run_started(event, at)
        elif isinstance(event, CellStarted):
            self._cell_started(event, at)
        elif isinstance(event, CellRetried):
            text = f"{event.error_class}: {event.message}"
            self._attempt(lambda: self._recorder.tags(event.cell, {f"advorch.retry.{event.attempt}": text}))
        elif isinstance(event, CellFinished) and event.status is not Status.SKIPPED:
            self._cell_finished(event, at)
        elif isinstance(event, RunFinished):
            self._run_finished(event, at)

    def _run_started(self, event: RunStarted, at: float) -> None:
        tags = {
            "advorch.version": event.version,
            "advorch.file": event.file,
            "advorch.profile": event.profile,
            "advorch.executor": event.executor,
            "advorch.storage": event.storage,
            "mlflow.source.name": event.file,
        }
        self._recorder.open(Opening(cell=PIPELINE, parent=None, name=event.pipeline, at=at, tags=tags))
        self._attempt(lambda: self._recorder.params(PIPELINE, flat(event.params)))

    def _cell_started(self, event: CellStarted, at: float) -> None:
        self._open(event, at, {"advorch.attempt": str(event.attempt)})
        self._settings(event)

    def _open(self, event: CellStarted | CellFinished, at: float, extra: Mapping[str, str]) -> None:
        """Open with all tags that are known, for it is one call; a run that is there gets them by a second."""
        tags = {"advorch.stage": event.stage, "advorch.component": event.component, "advorch.key": event.key, **extra}
        tags |= {f"advorch.input.{port}": digest for port, digest in digests(event.inputs).items()}
        if event.component == TRIAL:
            tags["advorch.trial"] = event.cell.rpartition("/")[2]
        if self._recorder.known(event.cell):
            self._attempt(lambda: self._recorder.tags(event.cell, tags))
        else:
            parent = self._parent(event.cell)
            self._recorder.open(Opening(cell=event.cell, parent=parent, name=event.cell, at=at, tags=tags))

    def _parent(self, cell: str) -> str:
        """The nearest of what the cell is inside of that has a run."""
        return next((above for above in line_of(cell)[-2::-1] if self._recorder.known(above)), PIPELINE)

    def _settings(self, event: CellStarted | CellFinished) -> None:
        data = datasets(event.inputs, self._memory.produced)
        self._attempt(lambda: self._recorder.params(event.cell, flat(event.params)))
        self._attempt(lambda: self._recorder.datasets(event.cell, data))

    def _reports(self, entries: Sequence[Entry]) -> None:
        points: dict[str, list[Point]] = {}
        for _, event, at in entries:
            if isinstance(event, CellReported):
                rows = points.setdefault(event.cell, [])
                rows += [Point(name, value, event.step, at) for name, value in event.metrics.items()]
        for cell, rows in points.items():
            if self._recorder.known(cell):
                self._attempt(lambda cell=cell, rows=rows: self._recorder.points(cell, rows))  # type: ignore[misc]

    def _cell_finished(self, event: CellFinished, at: float) -> None:
        if not self._recorder.known(event.cell):
            self._open(event, at - event.seconds, {})
        if event.cell not in self._memory.running:  # else they were told when it started
            self._settings(event)
        step = self._memory.steps.get(event.cell, 0)
        final = [Point(name, value, step, at) for name, value in event.metrics.items()]
        self._ending(event.cell, final, _ending_tags(event))
        if is_own(event.cell):
            self._lift(event, at)
            self._hand_on(event)
        self._recorder.close(event.cell, _ENDINGS.get(event.status, "FINISHED"), at)

    def _ending(self, cell: str, final: Sequence[Point], tags: Mapping[str, str]) -> None:
        """All at once; where one thing is refused, the others by themselves."""
        try:
            self._recorder.ending(cell, final, tags)
        except Refused:
            self._attempt(lambda: self._recorder.points(cell, final))
            self._attempt(lambda: self._recorder.tags(cell, tags))

    def _lift(self, event: CellFinished, at: float) -> None:
        """Final metrics stand at the pipeline too, so that whole runs compare; a trial's stay with its sweep."""
        rows = [Point(f"{event.cell}/{name}", value, 0, at) for name, value in event.metrics.items()]
        self._attempt(lambda: self._recorder.points(PIPELINE, rows))

    def _hand_on(self, event: CellFinished) -> None:
        """Outputs, and of a sweep who won; what is made inside sweeps stays in the store: it is hundreds of files."""
        if event.status is Status.DONE:
            self._results.tell(event, self._attempt)
        for trial, rank in self._results.ranks(event).items():
            if self._recorder.known(trial):
                tags = {"advorch.rank": str(rank), "advorch.winner": str(rank == 1).lower()}
                self._attempt(lambda trial=trial, tags=tags: self._recorder.tags(trial, tags))  # type: ignore[misc]

    def _run_finished(self, event: RunFinished, at: float) -> None:
        tags = {"advorch.exit_code": str(event.exit_code), "advorch.seconds": f"{event.seconds:.3f}"}
        self._attempt(lambda: self._recorder.tags(PIPELINE, tags))
        ending = "FINISHED" if event.exit_code == 0 else "KILLED" if event.exit_code == _STOPPED else "FAILED"
        self._recorder.close(PIPELINE, ending, at)

    def _attempt(self, call: Callable[[], None]) -> None:
        """Do one step of an event; what the recorder will never take is left out, and the rest goes on."""
        try:
            call()
        except Refused as error:
            log.warning("left out: %s", error)


def _ending_tags(event: CellFinished) -> dict[str, str]:
    tags = {"advorch.status": event.status.value, "advorch.seconds": f"{event.seconds:.3f}", "advorch.key": event.key}
    tags |= {f"advorch.output.{port}": digest for port, digest in event.outputs.items()}
    if event.status is Status.CACHED:
        tags["advorch.cached"] = "true"
    if event.message:
        tags |= {"advorch.message": event.message, "mlflow.note.content": event.message}
    if event.error_class:
        tags["advorch.error_class"] = event.error_class
    if event.missing:
        tags["advorch.missing"] = ", ".join(event.missing)
    return tags
