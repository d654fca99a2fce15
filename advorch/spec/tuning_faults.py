"""What an algorithm or a scheduler cannot work with; expressions may have given it, so a file's shape says less."""

from collections.abc import Iterator

from advorch.spec.tuning import Tuning

ENDLESS = frozenset({"uniform", "loguniform", "normal"})

Fault = tuple[str, str, str]  # the section, what is wrong, and a hint


def tuning_faults(tuning: Tuning) -> Iterator[Fault]:
    """Everything that is wrong with a search whose values are all known."""
    yield from _of_algorithm(tuning)
    yield from _of_scheduler(tuning)


def _of_algorithm(tuning: Tuning) -> Iterator[Fault]:
    algorithm = tuning.search.algorithm
    if algorithm == "grid":
        hint = "use grid, choice, int or quniform, or another search algorithm"
        for item in tuning.space:
            if item.kind in ENDLESS:
                yield "search", f"a grid search cannot walk through '{item.kind}' of '{item.name}'", hint
    if algorithm == "cma-es" and len(tuning.objectives) > 1:
        yield "search", "'cma-es' has one objective", "use tpe or nsga-ii"
    if algorithm == "cma-es" and tuning.constraints:
        yield "search", "'cma-es' knows no constraints", "use tpe or nsga-ii"


def _of_scheduler(tuning: Tuning) -> Iterator[Fault]:
    scheduler = tuning.scheduler
    if scheduler is None:
        return
    if scheduler.type == "hyperband" and scheduler.max is None:
        hint = "max: the epochs of a whole training"
        yield "scheduler", "'hyperband' needs 'max', for it shares out epochs", hint
    if scheduler.max is not None and scheduler.grace > scheduler.max:
        yield "scheduler", f"'grace' ({scheduler.grace}) is larger than 'max' ({scheduler.max})", ""
    if not scheduler.metric and len(tuning.objectives) > 1:
        message = "a scheduler with several objectives must name the metric by which it stops"
        yield "scheduler", message, "add metric: and goal:"
    if scheduler.type == "pbt" and 0 < tuning.search.concurrency < (tuning.budget.trials or 0):
        message = "a population lives at one time: fewer trials run at a time than there are in it"
        yield "scheduler", message, "raise search: {concurrency: ...}, or leave it out"
