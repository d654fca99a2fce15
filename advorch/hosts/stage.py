"""The host of full-control stages: it adds nothing and hides nothing."""

from typing import Any

from advorch.artifacts import Outcome
from advorch.components import AnyStageComponent
from advorch.protocols import StageContext


def run(context: StageContext, component: AnyStageComponent, settings: Any) -> Outcome:
    """Let the component do the whole stage."""
    outcome: Outcome = component.load()(context, settings)
    return outcome
