"""The trials of a sweep as tables and figures."""

from collections.abc import Mapping
from functools import partial

from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Figure, Findings, Look, Table, Value
from advorch.kit.evaluation.parallel_figures import parallel_coordinates
from advorch.kit.evaluation.search_figures import best_by_trial, importance_bars, stopping_curves, trade_off
from advorch.kit.evaluation.subject import Subject
from advorch.kit.evaluation.trials import Trial, Trials, front, read_trials
from advorch_builtins.evaluations.catalog_search import SearchParams

_IMPORTANCE = (
    "The share of each dimension in how much the objective varies over the trials that ended (fANOVA, Hutter et al. "
    "2014). Of few trials it is a rough guess."
)
_GOALS = {"accuracy": "maximize", "loss": "minimize"}


class Search:
    """There are no samples to walk over: everything is in the table."""

    def map(self, subject: Subject, batch: Data, params: SearchParams) -> Mapping[str, Tensor]:
        """Nothing."""
        return {}

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: SearchParams) -> Findings:
        """Winners, importances and all trials; a figure for each question."""
        table = subject.tables["trials"]
        trials = read_trials(table)
        others = _others(trials, params)
        return Findings(
            metrics=_metrics(trials),
            tables={
                "Winners": _winners(trials, others),
                **_importances(trials),
                **{f"Front of {metric}": _front(trials, metric, goal) for metric, goal in others.items() if goal},
                "Trials": Table(table.columns, table.rows, table.caption, Look(folded=True)),
            },
            figures=_figures(trials, others),
            notes=_notes(trials),
        )


def _others(trials: Trials, params: SearchParams) -> dict[str, str]:
    """What the first objective is drawn against, and which way is better of it where that is known."""
    measured = {name for trial in trials.done for name in trial.metrics}
    unknown = [name for name in params.against if name not in measured]
    if unknown and trials.done:
        hint = f"measured were: {', '.join(sorted(measured))}"
        raise StageFailed(f"no trial measured '{unknown[0]}'", error_class=ErrorClass.USER, hint=hint)
    first = trials.objectives[0][0]
    beside = first.replace("robust_accuracy", "clean_accuracy")
    named = params.against or (*(metric for metric, _ in trials.objectives[1:]), *trials.constrained, beside)
    goals = dict(trials.objectives)
    return {name: goals.get(name) or _goal(name) for name in named if name in measured and name != first}


def _goal(metric: str) -> str:
    return _GOALS.get(metric.rpartition("_")[2].rpartition(".")[2], "")


def _metrics(trials: Trials) -> dict[str, float]:
    metric = trials.objectives[0][0]
    states = [trial.state for trial in trials.trials]
    found = {
        "trials": float(len(states)),
        **{state: float(states.count(state)) for state in ("done", "pruned", "failed")},
    }
    winners = [trial for trial in trials.winners if metric in trial.metrics]
    return {**found, "best": winners[0].metrics[metric]} if winners else found


def _winners(trials: Trials, others: Mapping[str, str]) -> Table:
    names = [item.name for item in trials.dimensions]
    metrics = list(dict.fromkeys([*(metric for metric, _ in trials.objectives), *others]))
    rows = tuple(_row(trial, names, metrics) for trial in trials.winners)
    caption = "; ".join(f"{goal} {metric}" for metric, goal in trials.objectives)
    return Table(("rank", "trial", *names, *metrics), rows, f"{caption}. What each drew, and what it measured.")


def _row(trial: Trial, names: list[str], metrics: list[str]) -> tuple[Value, ...]:
    drawn = [value if isinstance(value := trial.values.get(name), int | float | None) else str(value) for name in names]
    return (trial.rank, trial.number, *drawn, *(trial.metrics.get(metric) for metric in metrics))


def _importances(trials: Trials) -> dict[str, Table]:
    rows = tuple(
        (metric, name, share) for metric, shares in trials.importance.items() for name, share in shares.items()
    )
    look = Look(shares=frozenset({"share"}))
    return {"Importance": Table(("objective", "dimension", "share"), rows, _IMPORTANCE, look)} if rows else {}


def _front(trials: Trials, other: str, goal: str) -> Table:
    metric, wanted = trials.objectives[0]
    able = [trial for trial in trials.done if trial.eligible and other in trial.metrics]
    places = front([(trial.metrics[other], trial.metrics[metric]) for trial in able], (goal, wanted))
    rows = tuple((able[place].number, able[place].metrics[other], able[place].metrics[metric]) for place in places)
    return Table(("trial", other, metric), rows, "Trials that no other one equals in both and beats in one.")


def _figures(trials: Trials, others: Mapping[str, str]) -> dict[str, Figure]:
    figures: dict[str, Figure] = {"What was tried": partial(parallel_coordinates, trials)}
    if trials.done:
        figures |= {
            f"What mattered for {metric}": partial(importance_bars, shares, metric)
            for metric, shares in trials.importance.items()
            if shares
        }
        figures |= {f"{trials.objectives[0][0]} against {name}": partial(trade_off, trials, name, goal)
                    for name, goal in others.items()}  # fmt: skip
        figures["Best so far"] = partial(best_by_trial, trials)
    if any(len(trial.reports) > 1 for trial in trials.trials):
        figures["Where trials were stopped"] = partial(stopping_curves, trials)
    return figures


def _notes(trials: Trials) -> list[str]:
    stopped = sum(trial.state == "pruned" for trial in trials.trials)
    failed = sum(trial.state == "failed" for trial in trials.trials)
    broken = [trial for trial in trials.done if not trial.eligible]
    notes = [f"{len(trials.trials)} trials: {len(trials.done)} ended, {stopped} were stopped early, {failed} failed."]
    if trials.constraints and broken:
        notes.append(f"{len(broken)} of those that ended do not keep {' and '.join(trials.constraints)}.")
    return notes
