"""Warns where the steps of an attack are too short for the ball that they are in."""

from collections.abc import Iterator, Sequence
from typing import Any

from advorch.components import Attack
from advorch.plan.complaints import Path
from advorch.plan.problems import Problems
from advorch.plan.work import Work
from advorch.settings import ThreatSettings
from advorch.threat import Budget

_ROUNDING = 1e-9


def warn_of_short_steps(works: Sequence[Work], problems: Problems) -> None:
    """One warning an attack that cannot leave the middle of its ball: mostly, epsilon and alpha are of two scales."""
    for work in works:
        for path, attack, threat in _attacks(work):
            steps, alpha = getattr(threat, "steps", None), getattr(threat, "alpha", None)
            if not _steps_by_length(attack) or not isinstance(steps, int) or not isinstance(alpha, float):
                continue
            if steps * alpha < threat.epsilon * (1 - _ROUNDING):
                move = f"{steps} steps of alpha {alpha:g} move at most {steps * alpha:g}"
                message = f"{attack.id} never gets to the edge of its ball: {move} of epsilon {threat.epsilon:g}"
                hint = "one unit for both; without `alpha` the steps are a share of epsilon"
                stage = work.draft.stage
                mark = work.located.mark((*path, "alpha")) or (stage.with_.mark if stage.with_ else stage.mark)
                problems.warn("W302", message, mark, hint)


def _attacks(work: Work) -> Iterator[tuple[Path, Attack[Any], ThreatSettings]]:
    """The attack of a stage, and those that are named in its parameters."""
    for path, item in work.checked.everything() if work.checked else ():
        if isinstance(item.component, Attack) and isinstance(item.model, ThreatSettings):
            yield path, item.component, item.model


def _steps_by_length(attack: Attack[Any]) -> bool:
    """An `alpha` that is a share of epsilon by default is a length; else it is a rate, or no length of the ball's."""
    field = attack.params.model_fields.get("alpha")
    return attack.threat.budget is Budget.FIXED and field is not None and field.default is None
