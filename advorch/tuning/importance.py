"""What finished trials say: which won, which are not beaten, and what mattered."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from advorch.canonical import Json, canonical
from advorch.spec.tuning import Dimension, Tuning
from advorch.tuning.draws import Pick, coordinate, place
from advorch.tuning.optuna_search import silent_storage
from advorch.tuning.search import Outcome, TrialState

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

DEPTH = 6  # of the trees: enough for what matters, and 300 trials take half a second instead of three


@dataclass(frozen=True, slots=True)
class Finished:
    """A trial that is over."""

    number: int
    values: Mapping[str, Json]
    outcome: Outcome


def eligible(trial: Finished) -> bool:
    """Whether it may win: done, with finite objectives, every constraint kept."""
    outcome = trial.outcome
    sound = outcome.state == TrialState.DONE and all(map(math.isfinite, outcome.objectives))
    return sound and all(violation <= 0 for violation in outcome.violations)


def ranked(trials: Sequence[Finished], tuning: Tuning) -> list[int]:
    """The numbers of those that may win, the best first; of several objectives the first decides, then the next.

    Of equals the lower number is better.
    """
    able = [trial for trial in trials if eligible(trial)]
    return [trial.number for trial in sorted(able, key=lambda trial: (*losses(trial, tuning), trial.number))]


def pareto(trials: Sequence[Finished], tuning: Tuning) -> list[int]:
    """The numbers, in order, of those that no other trial equals in all objectives and beats in one."""
    able = {trial.number: losses(trial, tuning) for trial in trials if eligible(trial)}
    return [number for number in sorted(able) if not any(_beats(other, able[number]) for other in able.values())]


def losses(trial: Finished, tuning: Tuning) -> tuple[float, ...]:
    """The objectives, so turned that less is better."""
    pairs = zip(trial.outcome.objectives, tuning.objectives, strict=True)
    return tuple(-value if objective.goal == "maximize" else value for value, objective in pairs)


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return tuple(one) != tuple(other) and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))


def importances(trials: Sequence[Finished], tuning: Tuning, objective: int = 0) -> dict[str, float]:
    """The share of each dimension in how much the objective varies (fANOVA, Hutter et al. 2014), the largest first.

    Shares add up to 1. Dimensions that not every trial has, or that never vary, are left out, for nothing can be said.
    """
    told = [trial for trial in trials if _says(trial, objective)]
    varying = [item for item in tuning.space if _varies(item.name, told)]
    if not varying or len({trial.outcome.objectives[objective] for trial in told}) < 2:
        return {}
    shares = _fanova(told, varying, objective)
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _says(trial: Finished, objective: int) -> bool:
    outcome = trial.outcome
    return outcome.state == TrialState.DONE and math.isfinite(outcome.objectives[objective])


def _varies(name: str, trials: Sequence[Finished]) -> bool:
    """Whether every trial has the dimension, and not all the same value of it."""
    seen = {canonical(trial.values[name]) for trial in trials if name in trial.values}
    return len(seen) > 1 and all(name in trial.values for trial in trials)


def _fanova(trials: Sequence[Finished], varying: Sequence[Dimension], objective: int) -> dict[str, float]:
    from optuna import create_study
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    study = create_study(storage=silent_storage())
    study.add_trials(
        create_trial(
            params={dimension.name: _even(dimension, trial.values[dimension.name]) for dimension in varying},
            distributions={dimension.name: _distribution(dimension) for dimension in varying},
            value=trial.outcome.objectives[objective],
        )
        for trial in trials
    )
    shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0, max_depth=DEPTH))
    return {name: float(share) for name, share in shares.items()}


def _distribution(dimension: Dimension) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    where = coordinate(dimension)
    return CategoricalDistribution(range(where.count)) if isinstance(where, Pick) else FloatDistribution(0, 1)


def _even(dimension: Dimension, value: Json) -> float:
    """From 0 to 1, evenly: Optuna's fANOVA would weigh a logarithmic distribution by its raw width."""
    where, here = coordinate(dimension), place(dimension, value)
    if isinstance(where, Pick):
        return here
    low, high = float(where.low), float(where.high)
    if where.log:
        return math.log(here / low) / math.log(high / low)
    return (here - low) / (high - low)
