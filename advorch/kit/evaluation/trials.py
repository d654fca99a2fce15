"""The trials of a sweep, read off the table that it hands on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.evaluation.findings import Table, Value

MEASURED = "done"
_LOG = ("loguniform", "logint")
_LISTED = ("choice", "grid", "const")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One thing that was searched; `log` where it was drawn evenly in the logarithm, `listed` from a list."""

    name: str
    kind: str

    @property
    def log(self) -> bool:
        """Whether it belongs on a logarithmic axis."""
        return self.kind in _LOG

    @property
    def listed(self) -> bool:
        """Whether its values have names and no order."""
        return self.kind in _LISTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One trial; `eligible` if it could win, `reports` are steps and values of what the scheduler looked at."""

    number: int
    state: str
    rank: int | None
    values: Mapping[str, Any]
    metrics: Mapping[str, float]
    eligible: bool
    reports: Sequence[tuple[int, float]] = ()

    @property
    def measured(self) -> bool:
        """Whether it came to its end."""
        return self.state == MEASURED


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """A whole search; the first objective is the one that figures are about."""

    dimensions: tuple[Dimension, ...]
    objectives: tuple[tuple[str, str], ...]
    constraints: tuple[str, ...]
    constrained: tuple[str, ...]
    importance: Mapping[str, Mapping[str, float]]
    watched: str
    time: str
    trials: tuple[Trial, ...]

    @property
    def done(self) -> list[Trial]:
        """Those that measured the first objective."""
        metric = self.objectives[0][0]
        return [trial for trial in self.trials if trial.measured and metric in trial.metrics]

    @property
    def winners(self) -> list[Trial]:
        """By rank."""
        return sorted((trial for trial in self.trials if trial.rank), key=lambda trial: trial.rank or 0)


def read_trials(table: Table) -> Trials:
    """The search behind a table; one that is of something else is an error."""
    facts = table.facts
    if "dimensions" not in facts:
        message = "this table is not one of a sweep's trials"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="connect the port to `trials` of a sweep")
    dimensions = tuple(Dimension(name=item["name"], kind=item["kind"]) for item in facts["dimensions"])
    return Trials(
        dimensions=dimensions,
        objectives=tuple((item["metric"], item["goal"]) for item in facts["objectives"]),
        constraints=tuple(facts["constraints"]),
        constrained=tuple(facts["constrained"]),
        importance=facts["importance"],
        watched=facts["watched"],
        time=(facts["scheduler"] or {}).get("time", "step"),
        trials=tuple(_trial(dict(zip(table.columns, row, strict=True)), dimensions, facts) for row in table.rows),
    )


def _trial(row: Mapping[str, Value], dimensions: Sequence[Dimension], facts: Mapping[str, Any]) -> Trial:
    names = {item.name for item in dimensions} | {"trial", "state", "rank", "steps"}
    number = int(row["trial"] or 0)
    return Trial(
        number=number,
        state=str(row["state"]),
        rank=None if row["rank"] is None else int(row["rank"]),
        values={item.name: row[item.name] for item in dimensions if row[item.name] is not None},
        metrics={name: float(value) for name, value in row.items() if name not in names and value is not None},
        eligible=number in facts["eligible"],
        reports=[(step, value) for step, value in facts["reports"].get(str(number), ()) if value is not None],
    )


def front(points: Sequence[tuple[float, float]], goals: tuple[str, str]) -> list[int]:
    """Places of the points that no other one equals in both and beats in one, in order of the first number."""
    signed = [tuple(value if goal == "maximize" else -value for value, goal in zip(point, goals, strict=True))
              for point in points]  # fmt: skip
    beaten = {
        place for place, mine in enumerate(signed)
        if any(other != mine and other[0] >= mine[0] and other[1] >= mine[1] for other in signed)
    }  # fmt: skip
    return sorted((place for place in range(len(points)) if place not in beaten), key=lambda place: points[place])


def best_so_far(values: Sequence[float], goal: str) -> list[float]:
    """The best of all values up to each; NaN until there is one."""
    better = max if goal == "maximize" else min
    found: list[float] = []
    for value in values:
        last = found[-1] if found else math.nan
        found.append(last if math.isnan(value) else value if math.isnan(last) else better(last, value))
    return found
