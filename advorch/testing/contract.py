"""The public contract suite: what a component must keep, by family, as functions that need no test runner."""

from collections.abc import Callable, Mapping
from importlib import import_module

from advorch.components import AnyComponent
from advorch.testing.check import Check, ContractBroken, NotApplicable, Result, Verdict
from advorch.testing.common import common_checks

__all__ = ["Check", "ContractBroken", "NotApplicable", "Result", "Verdict", "checks_for"]

_FAMILIES: Mapping[str, str] = {
    "attack": "advorch.testing.attacks",
    "objective": "advorch.testing.objectives",
    "generate": "advorch.testing.generators",
    "evaluate": "advorch.testing.evaluations",
    "dataset": "advorch.testing.datasets",
    "model": "advorch.testing.models",
    "perturbation": "advorch.testing.perturbations",
    "part": "advorch.testing.parts",
}


def checks_for(component: AnyComponent) -> list[Check]:
    """Every check that concerns the component; run each, or ask each for its `result()`."""
    return [*common_checks(component), *_family_checks(component)]


def _family_checks(component: AnyComponent) -> list[Check]:
    module = _FAMILIES.get(component.family)
    if module is None:
        return []
    family: Callable[[AnyComponent], list[Check]] = import_module(module).checks
    return family(component)
