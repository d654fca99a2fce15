"""From a `scheduler:` section to a rule of early stopping."""

from collections.abc import Sequence

from advorch.errors import InvalidPipeline, Problem
from advorch.spec.codes import Code
from advorch.spec.expression import Lookup, Path, UnknownName
from advorch.spec.tuning import Goal, Scheduler, Tuning
from advorch.tuning.hyperband import Hyperband
from advorch.tuning.population import Population
from advorch.tuning.ray_rules import RayRule, asha, median
from advorch.tuning.stopping import Stopping


def nothing_known(path: Path) -> object:
    """A lookup for spaces whose conditions read `trial.*` alone."""
    raise UnknownName(path, advice="a condition may read what was drawn before it")


def open_stopping(tuning: Tuning, seed: int, lookup: Lookup = nothing_known) -> Stopping | None:
    """The rule of the search, None without a scheduler; `lookup` answers the conditions of a space that pbt mutates."""
    if tuning.scheduler is None:
        return None
    if faults := scheduler_faults(tuning):
        raise InvalidPipeline(faults)
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


def scheduler_faults(tuning: Tuning) -> list[Problem]:
    """What the rule cannot work with; where values come from expressions, the file's own checks do not see it."""
    scheduler = tuning.scheduler
    if scheduler is None:
        return []
    faults: Sequence[tuple[bool, str, str]] = (
        (
            scheduler.type == "hyperband" and scheduler.max is None,
            "'hyperband' needs 'max', for it shares out epochs",
            "max: the epochs of a whole training",
        ),
        (
            scheduler.max is not None and scheduler.grace > scheduler.max,
            f"'grace' ({scheduler.grace}) is larger than 'max' ({scheduler.max})",
            "",
        ),
        (
            not scheduler.metric and len(tuning.objectives) > 1,
            "a scheduler with several objectives must name the metric by which it stops",
            "add metric: and goal:",
        ),
    )
    return [Problem(code=Code.SEARCH.value, message=text, hint=hint) for wrong, text, hint in faults if wrong]


def _most(scheduler: Scheduler) -> int:
    return scheduler.max or scheduler.grace
