"""From a `scheduler:` section to a rule of early stopping."""

from advorch.spec.expression import Lookup
from advorch.spec.tuning import Goal, Scheduler, Tuning
from advorch.tuning.hyperband import Hyperband
from advorch.tuning.population import Population
from advorch.tuning.ray_rules import RayRule, asha, median
from advorch.tuning.stopping import Stopping


def open_stopping(tuning: Tuning, seed: int, lookup: Lookup) -> Stopping | None:
    """The rule of the search, None without a scheduler; `lookup` answers the conditions of a space that pbt mutates."""
    if tuning.scheduler is None:
        return None
    scheduler, goal = tuning.scheduler, stopping_goal(tuning)
    match scheduler.type:
        case "asha":
            return RayRule(asha(scheduler, goal), goal, scheduler.max)
        case "median":
            return RayRule(median(scheduler, goal), goal, scheduler.max)
        case "hyperband":
            return Hyperband(_most(scheduler), scheduler.grace, scheduler.reduction, goal)
        case _:
            return Population(tuning.space, scheduler, goal, seed=seed, lookup=lookup)


def stopping_goal(tuning: Tuning) -> Goal:
    """Which way is better of the metric that decides about stopping."""
    named = tuning.scheduler.goal if tuning.scheduler else None
    return named or tuning.objectives[0].goal


def _most(scheduler: Scheduler) -> int:
    return scheduler.max or scheduler.grace
