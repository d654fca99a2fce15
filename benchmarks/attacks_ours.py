"""The project's own attacks, run as a stage runs them: who is wrong already is left out, and everything is judged."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from attacks_task import Attack, Contestant, Task
from torch import Tensor, nn

from advorch.api import Attack as Component
from advorch.api import Budget, Norm
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import run_attack
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Finish, Victim
from advorch_builtins.attacks import (
    catalog,
    catalog_apgd,
    catalog_black_box,
    catalog_ensemble,
    catalog_minimal,
    catalog_momentum,
)

Precision = Literal["fp32", "bf16"]
_TRAINED = ("fgsm", "pgd", "mim")
_HALVED = ("pgd", "apgd", "autoattack")


def ours(precision: Precision = "fp32") -> Contestant:
    """With the search in a precision, where an attack lets one choose."""

    def contestant(module: nn.Module, task: Task) -> Attack | None:
        if task.kind not in _CHOICE or (precision == "bf16" and task.kind not in _HALVED):
            return None
        component, settings = _CHOICE[task.kind](task)
        params = component.params(**settings, **({"precision": precision} if precision == "bf16" else {}))
        return _attack(module, task, component, params)

    return contestant


def cascade(module: nn.Module, task: Task) -> Attack | None:
    """AutoAttack's verdict, by its cheaper relative."""
    if task.kind != "autoattack":
        return None
    component = catalog_ensemble.CASCADE
    return _attack(module, task, component, component.params())


def training(module: nn.Module, task: Task) -> Attack | None:
    """As a training step runs it: all steps for everybody, nobody judged on the way."""
    if task.kind not in _TRAINED:
        return None
    component, settings = _CHOICE[task.kind](task)
    perturb, params = component.load(), component.params(**settings)

    def attack(x: Tensor, y: Tensor) -> Tensor:
        victim = _victim(module, task)
        victim.finish = Finish.LAST
        with untouched(module):
            return perturb(victim, x, y, params, Draws(0, torch.arange(len(x))))

    return attack


def _attack(module: nn.Module, task: Task, component: Component[Any], params: Any) -> Attack:
    perturb = component.load()

    def attack(x: Tensor, y: Tensor) -> Tensor:
        return run_attack(perturb, _victim(module, task), x, y, params, Draws(0, torch.arange(len(x)))).adversarial

    return attack


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
    "autoattack": lambda task: (catalog_ensemble.AUTOATTACK, {}),
    "square": lambda task: (catalog_black_box.SQUARE, {"queries": task.steps}),
}
