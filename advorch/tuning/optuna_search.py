"""The algorithms of Optuna, asked and told."""

import logging
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from advorch.canonical import Json
from advorch.seeds import derive
from advorch.spec.expression import Lookup
from advorch.spec.tuning import Search, Tuning
from advorch.tuning.draws import Coordinate, Count, Pick, Span, drawn
from advorch.tuning.search import Outcome, TrialState

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.storages import InMemoryStorage
    from optuna.trial import Trial

WARMUP = 10  # as many random trials as Optuna begins with
POPULATION = 20  # Optuna's 50 would leave most sweeps at random draws


class OptunaSearch:
    """A study in memory; a sampler seeded by the number for each ask: what is random does not depend on the past."""

    def __init__(self, tuning: Tuning, seed: int, lookup: Lookup) -> None:
        self._tuning, self._seed, self._lookup = tuning, seed, lookup
        self._trials: list[Trial] = []
        self._study = _study(tuning)

    def ask(self) -> Mapping[str, Json]:
        """The values that the algorithm wants tried next."""
        seed = derive(self._seed, "trial", len(self._trials)) % 2**32
        self._study.sampler = sampler(self._tuning.search, seed)
        trial = self._study.ask()
        self._trials.append(trial)
        return drawn(self._tuning.space, Suggested(trial), self._lookup)

    def tell(self, number: int, outcome: Outcome) -> None:
        """What came of an ask, in whatever order."""
        from optuna.trial import TrialState as State

        trial = self._trials[number]
        if outcome.state == TrialState.PRUNED:
            self._report(trial, outcome)
            self._study.tell(trial, state=State.PRUNED)
        elif outcome.state == TrialState.FAILED or not all(map(math.isfinite, outcome.objectives)):
            self._study.tell(trial, state=State.FAIL)
        else:
            for index, violation in enumerate(outcome.violations):
                trial.set_constraint(str(index), math.inf if math.isnan(violation) else violation)
            self._study.tell(trial, list(outcome.objectives))

    def _report(self, trial: "Trial", outcome: Outcome) -> None:
        """The last report: a stopped trial is judged by how far it came, then by that value."""
        objectives, scheduler = self._tuning.objectives, self._tuning.scheduler
        if len(objectives) != 1 or not outcome.reports:
            return  # Optuna knows no intermediate value of several objectives
        step, value = max(outcome.reports)
        against = scheduler is not None and scheduler.goal not in {None, objectives[0].goal}
        trial.report(-value if against else value, step)


@dataclass(frozen=True, slots=True)
class Suggested:
    """Draws what the study's sampler suggests."""

    trial: "Trial"

    def draw(self, name: str, coordinate: Coordinate) -> float:
        """A place of the dimension, remembered by the study under its name."""
        match coordinate:
            case Pick():
                place: int = self.trial.suggest_categorical(name, tuple(range(coordinate.count)))
                return place
            case Count():
                return self.trial.suggest_int(name, coordinate.low, coordinate.high, log=coordinate.log)
            case Span():
                return self.trial.suggest_float(name, coordinate.low, coordinate.high, log=coordinate.log)


def sampler(search: Search, seed: int) -> "BaseSampler":
    """A sampler of the algorithm; what it knows is in the study alone."""
    from optuna import samplers

    match search.algorithm:
        case "tpe":
            # constant_liar: trials that still run are not drawn again; where none runs it changes nothing
            startup = WARMUP if search.warmup is None else search.warmup
            return samplers.TPESampler(
                seed=seed, n_startup_trials=max(1, startup), multivariate=True, group=True, constant_liar=True
            )
        case "nsga-ii":
            return samplers.NSGAIISampler(seed=seed, population_size=max(2, search.warmup or POPULATION))
        case _:
            return samplers.CmaEsSampler(
                seed=seed, n_startup_trials=max(1, search.warmup or 1), warn_independent_sampling=False
            )


def silent_storage() -> "InMemoryStorage":
    """Optuna's memory, with Optuna told to be quiet: its log lines and warnings are no business of the user's."""
    import optuna

    logging.getLogger("optuna").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)  # of group=True, at every ask
    return optuna.storages.InMemoryStorage()


def _study(tuning: Tuning) -> "Study":
    from optuna import create_study

    return create_study(
        storage=silent_storage(),
        sampler=sampler(tuning.search, 0),
        directions=[objective.goal for objective in tuning.objectives],
    )
