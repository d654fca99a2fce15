"""What a run has said of its sweeps so far, and how a person reads it: one line a trial."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from advorch.canonical import Json, canonical
from advorch.events import CellFinished, CellReported, CellStarted, Status
from advorch.tracking.addresses import parent_of

MEASURED = frozenset({Status.DONE, Status.CACHED})
SHOWN_VALUES = 6


@dataclass(kw_only=True)
class Tale:
    """One sweep; `known` are trials of earlier runs that nobody was told of yet."""

    sweep: str
    objectives: tuple[tuple[str, str], ...] = ()
    budget: int | None = None
    ended: Counter[Status] = field(default_factory=Counter)
    steps: dict[str, CellReported] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    known: int = 0
    best: tuple[float, str] | None = None

    @property
    def done(self) -> int:
        """How many trials are over, however they ended."""
        return self.ended.total()

    def begin(self, event: CellStarted) -> None:
        """A trial starts."""
        self.running.add(event.cell)

    def end(self, event: CellFinished) -> bool:
        """Take in how a trial ended; whether it is the best so far."""
        self.ended[event.status] += 1
        self.known += event.cell not in self.running
        self.running.discard(event.cell)
        score = self._score(event)
        if score is None or (self.best and self.best[0] >= score):
            return False
        self.best = (score, event.cell)
        return True

    def best_words(self) -> str:
        """The best so far and whose it is; nothing where several objectives, or none, decide."""
        if self.best is None:
            return ""
        metric, goal = self.objectives[0]
        value = self.best[0] if goal == "maximize" else -self.best[0]
        return f"best {metric}={value:.4g} ({self.best[1]})"

    def _score(self, event: CellFinished) -> float | None:
        """More is better; None for a trial that cannot win, which a message says."""
        if len(self.objectives) != 1 or event.status not in MEASURED or event.message:
            return None
        metric, goal = self.objectives[0]
        value = event.metrics.get(metric)
        if value is None or math.isnan(value):
            return None
        return value if goal == "maximize" else -value


class Searches:
    """The sweeps of one run."""

    def __init__(self) -> None:
        self._tales: dict[str, Tale] = {}

    def open(self, event: CellStarted) -> Tale:
        """A sweep starts, or starts again."""
        self._tales[event.cell] = Tale(
            sweep=event.cell, objectives=objectives(event.params), budget=_count(event.params.get("trials"))
        )
        return self._tales[event.cell]

    def of(self, trial: str) -> Tale:
        """The sweep of a trial."""
        sweep = parent_of(trial) or trial
        return self._tales.setdefault(sweep, Tale(sweep=sweep))

    def headed(self, event: CellFinished) -> CellFinished:
        """The end of a sweep with its objectives before all else that its winner measured."""
        tale = self._tales.get(event.cell)
        first = [*(metric for metric, _ in tale.objectives), "best_trial"] if tale else []
        found = {name: event.metrics[name] for name in first if name in event.metrics}
        return replace(event, metrics={**found, **event.metrics}) if found else event

    def started(self, event: CellStarted) -> str | None:
        """What there is to say when a trial starts: what was there before, once."""
        tale = self.of(event.cell)
        tale.begin(event)
        return self._earlier(tale)

    def runs(self, cell: str) -> bool:
        """Whether a cell is a trial that has started and is not over."""
        tale = self._tales.get(parent_of(cell) or "")
        return tale is not None and cell in tale.running

    def reported(self, event: CellReported) -> str:
        """A step of a trial."""
        self.of(event.cell).steps[event.cell] = event
        return " ".join([event.cell, f"step {event.step}", *number_words(event.metrics)])

    def _earlier(self, tale: Tale) -> str | None:
        """The trials that earlier runs left, in one line; nothing the second time."""
        if not tale.known:
            return None
        words = [f"{tale.known} trials of earlier runs" if tale.known > 1 else "1 trial of an earlier run"]
        tale.known = 0
        return f"{tale.sweep} goes on after {', '.join([*words, *filter(None, [tale.best_words()])])}"

    def finished(self, event: CellFinished, took: str) -> str | None:
        """How a trial ended; one that an earlier run ended is only counted."""
        tale = self.of(event.cell)
        was_running = event.cell in tale.running
        is_best = tale.end(event)
        if not was_running:
            return None
        head = " ".join([event.cell, event.status.value, *([f"in {took}"] if took else []), *value_words(event.params)])
        return f"{head}: {', '.join(_came_to(tale, event, is_best))}"


def _came_to(tale: Tale, event: CellFinished, is_best: bool) -> list[str]:
    """The objectives, or what a trial without them has to say."""
    measured = {metric: event.metrics[metric] for metric, _ in tale.objectives if metric in event.metrics}
    last = tale.steps.get(event.cell)
    if event.status not in MEASURED:
        measured = {}
    if last and not measured and event.status is not Status.FAILED:
        measured = dict(last.metrics)
        return [f"{' '.join(number_words(measured))} at step {last.step}"]
    words = [" ".join(number_words(measured))] if measured else []
    if is_best:
        words.append("best so far")
    return [*words, *([event.message] if event.message else [])] or ["nothing was measured"]


def objectives(params: Mapping[str, Json]) -> tuple[tuple[str, str], ...]:
    """Metric and goal of each objective, from what a sweep says of itself when it starts."""
    found = params.get("objective")
    lines = found if isinstance(found, Sequence) and not isinstance(found, str) else ()
    pairs = [str(line).partition(" ") for line in lines]
    return tuple((metric, goal) for goal, _, metric in pairs)


def value_words(values: Mapping[str, Json], most: int = SHOWN_VALUES) -> list[str]:
    """What a trial drew, as name=value."""
    words = [f"{name}={shown_value(value)}" for name, value in list(values.items())[:most]]
    return words + ([f"(+{len(values) - most} values)"] if len(values) > most else [])


def shown_value(value: Json) -> str:
    """A value in few letters."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else canonical(value)


def number_words(metrics: Mapping[str, float]) -> list[str]:
    """Metrics as name=value, all of them."""
    return [f"{name}={value:.4g}" for name, value in metrics.items()]


def _count(value: Json) -> int | None:
    return value if isinstance(value, int) else None
