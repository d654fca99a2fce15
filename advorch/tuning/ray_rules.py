"""The rules that Ray Tune has: its classes decide, told what its controller would tell them. No Ray is started.

`HyperBandScheduler` and `PopulationBasedTraining` are not among them. The first never resets `is_being_processed`:
when the last trial of a later rung fails, its bracket waits for ever. The second writes files, pauses trials and
schedules saves through its controller, and draws from the `random` of the whole process, which a stage in another
thread may use.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from advorch.canonical import Json
from advorch.spec.tuning import Goal, Scheduler
from advorch.tuning.stopping import Verdict

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

STEP, VALUE = "step", "value"
EXTREME: Final = 1e300  # finite, for Tune interpolates between values, and infinities make that NaN
ENDLESS: Final = 10**9  # steps, for asha without `max`


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """What the rules see of a trial; they keep it in sets and maps, by identity."""

    trial_id: str


class _Controller:
    """What the rules see of Tune: nobody waits for a turn."""

    def get_live_trials(self) -> list[_Trial]:
        """Read by the median rule, which would yield to trials that wait."""
        return []


class RayRule:
    """Asha, or the median rule: trials go on or are over."""

    def __init__(self, rule: "TrialScheduler", goal: Goal, most: int | None) -> None:
        self._rule: Any = rule
        self._worst = -EXTREME if goal == "maximize" else EXTREME
        self._most = ENDLESS if most is None else most
        self._controller = _Controller()
        self._trials: dict[int, _Trial] = {}
        self._steps: dict[int, int] = {}

    def added(self, trial: int, values: Mapping[str, Json]) -> None:
        """The rule makes a place for it."""
        self._trials[trial] = _Trial(str(trial))
        self._rule.on_trial_add(self._controller, self._trials[trial])

    def reported(self, trial: int, step: int, value: float) -> Verdict:
        """A step that is reported again, after a restart, counts once."""
        if trial not in self._trials:
            return Verdict.STOP
        again = step <= self._steps.get(trial, -1)
        self._steps[trial] = max(step, self._steps.get(trial, step))
        if again or step >= self._most:
            return Verdict.GO
        answer = self._rule.on_trial_result(self._controller, self._trials[trial], self._result(step, value))
        if answer != "STOP":
            return Verdict.GO
        self.ended(trial, step, value)
        return Verdict.STOP

    def ended(self, trial: int, step: int, value: float | None) -> None:
        """Tune tells its rules the last result once more when a trial is over, stopped or not."""
        if (known := self._trials.pop(trial, None)) is None:
            return
        if value is None or trial not in self._steps:
            self._rule.on_trial_error(self._controller, known)
        else:
            self._rule.on_trial_complete(self._controller, known, self._result(step, value))

    def freed(self) -> tuple[list[int], list[int]]:
        """Nobody is paused."""
        return [], []

    def closed(self) -> None:
        """Nobody waits for company."""

    def _result(self, step: int, value: float) -> dict[str, float]:
        known = self._worst if math.isnan(value) else max(-EXTREME, min(EXTREME, value))
        return {STEP: step, VALUE: known}


def asha(scheduler: Scheduler, goal: Goal) -> "TrialScheduler":
    """Li et al., "A System for Massively Parallel Hyperparameter Tuning" (2020), in Tune's form that stops trials."""
    from ray.tune.schedulers import AsyncHyperBandScheduler

    class OneBracket(AsyncHyperBandScheduler):
        """Chooses between its one bracket without drawing from the random numbers of the whole process."""

        def on_trial_add(self, tune_controller: object, trial: Any) -> None:
            self._trial_info[trial.trial_id] = self._brackets[0]

    return OneBracket(
        time_attr=STEP,
        metric=VALUE,
        mode=_mode(goal),
        max_t=ENDLESS if scheduler.max is None else scheduler.max,
        grace_period=scheduler.grace,
        reduction_factor=scheduler.reduction,
    )


def median(scheduler: Scheduler, goal: Goal) -> "TrialScheduler":
    """Golovin et al., "Google Vizier" (2017): a trial is over whose best is worse than the median of running means."""
    from ray.tune.schedulers import MedianStoppingRule

    return MedianStoppingRule(time_attr=STEP, metric=VALUE, mode=_mode(goal), grace_period=scheduler.grace)


def _mode(goal: Goal) -> str:
    return "max" if goal == "maximize" else "min"
