"""The project's own attacks, run as a stage runs them: who is wrong already is left out, and everything is judged."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from advorch.api import Budget, Norm
from advorch.api import Attack as Component
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import run_attack
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks import catalog, catalog_apgd, catalog_black_box, catalog_minimal, catalog_momentum
from attacks_task import Attack, Contestant, Task

Precision = Literal["fp32", "bf16"]
_HALVED = ("pgd", "apgd")


def ours(precision: Precision = "fp32") -> Contestant:
    """With the search in a precision, where an attack lets one choose."""

    def contestant(module: nn.Module, task: Task) -> Attack | None:
        if task.kind not in _CHOICE or (precision == "bf16" and task.kind not in _HALVED):
            return None
        component, settings = _CHOICE[task.kind](task)
        params = component.params(**settings, **({"precision": precision} if precision == "bf16" else {}))
        perturb = component.load()

        def attack(x: Tensor, y: Tensor) -> Tensor:
            return run_attack(perturb, _victim(module, task), x, y, params, Draws(0, torch.arange(len(x)))).adversarial

        return attack

    return contestant


def _victim(module: nn.Module, task: Task) -> Victim:
    budget = Budget.MINIMAL if task.epsilon is None else Budget.FIXED
    epsilon = float("inf") if task.epsilon is None else task.epsilon
    return Victim(module, box=(0.0, 1.0), norm=Norm(task.norm), epsilon=epsilon, budget=budget)


_CHOICE: dict[str, Callable[[Task], tuple[Component[Any], dict[str, Any]]]] = {
    "fgsm": lambda task: (catalog.FGSM, {}),
    "pgd": lambda task: (catalog.PGD, {"steps": task.steps, "alpha": task.alpha}),
    "mim": lambda task: (catalog_momentum.MIM, {"steps": task.steps, "alpha": task.alpha}),
    "deepfool": lambda task: (catalog_minimal.DEEPFOOL, {"steps": task.steps}),
    "cw": lambda task: (catalog_minimal.CW, {"steps": task.steps, "searches": task.searches}),
    "apgd": lambda task: (catalog_apgd.APGD_CE, {"steps": task.steps}),
    "square": lambda task: (catalog_black_box.SQUARE, {"queries": task.steps}),
}
