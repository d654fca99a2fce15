"""Stages with `tune:`: checked as far as is cheap, and refused as long as nothing can run them."""

from advorch.plan.drafts import Expanded
from advorch.plan.named import find_component
from advorch.plan.problems import Problems
from advorch.plan.scope import Scope, Values
from advorch.registry.registry import Registry
from advorch.spec.interpolate import is_open
from advorch.spec.pipeline import StageSpec


def refuse_sweep(stage: StageSpec, values: Values, registry: Registry, problems: Problems) -> Expanded | None:
    """None for an ordinary stage; a sweep stands in the plan as a stage of which nothing is known."""
    if stage.tune is None:
        return None
    message = f"'{stage.name}' is a sweep, and sweeps are not available in this version"
    problems.add("E318", message, stage.tune.mark, "use a matrix, or give the values in `with:`")
    for inner in (stage, *stage.stages.values()):
        if inner.uses and not is_open(inner.uses):
            find_component(inner.uses, Scope(values), registry, problems)
    return Expanded(stage=stage, labels={stage.name: {}}, drafts={})
