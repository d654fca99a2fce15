"""Other libraries behind one call: who is not installed is reported, and known traps are set right for all alike.

- torchattacks' AutoAttack runs 10 steps by default, a tenth of the paper's: its parts are built here with 100.
- adv-lib imports torchvision and visdom, which these attacks do not use: empty modules stand in during the import.
- foolbox returns black images for what its C&W does not fool: they are put back before anybody judges.
- ART's AutoAttack is another ensemble, and torchattacks' C&W searches no constant: those cells stay empty.
"""

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from attacks_task import CLASSES, Attack, Contestant, Task
from torch import Tensor, nn

_NORMS = {"linf": "Linf", "l2": "L2"}


def installed() -> Iterator[tuple[str, str, Contestant]]:
    """Name, version and contestant of each library that can be imported; the others are named on the way."""
    for name, distribution, load in _PEERS:
        try:
            yield name, _version(distribution), load()
        except ImportError as error:
            print(f"not measured: {name} ({error})", file=sys.stderr)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "source"


def _foolbox() -> Contestant:
    import foolbox

    peer = foolbox.attacks

    def steps(task: Task) -> dict[str, float]:
        return {"abs_stepsize": task.alpha, "steps": task.steps}

    def mim(task: Task) -> Any:
        attack = peer.mi_fgsm.LinfMomentumIterativeFastGradientMethod
        return attack(momentum=1.0, random_start=False, **steps(task))

    def cw(task: Task) -> Any:
        search = {"binary_search_steps": task.searches, "steps": task.steps, "initial_const": 1.0}
        return peer.L2CarliniWagnerAttack(stepsize=0.05, **search)

    build: dict[tuple[str, str], Callable[[Task], Any]] = {
        ("fgsm", "linf"): lambda t: peer.LinfFastGradientAttack(),
        ("pgd", "linf"): lambda t: peer.LinfProjectedGradientDescentAttack(**steps(t)),
        ("pgd", "l2"): lambda t: peer.L2ProjectedGradientDescentAttack(**steps(t)),
        ("mim", "linf"): mim,
        ("deepfool", "l2"): lambda t: peer.L2DeepFoolAttack(steps=t.steps, candidates=CLASSES),
        ("cw", "l2"): cw,
    }

    def contestant(module: nn.Module, task: Task) -> Attack | None:
        if (task.kind, task.norm) not in build:
            return None
        attack, model = build[task.kind, task.norm](task), foolbox.PyTorchModel(module, bounds=(0, 1), device="cpu")
        return lambda x, y: _not_black(x, attack(model, x, y, epsilons=task.epsilon)[1])

    return contestant


def _not_black(x: Tensor, z: Tensor) -> Tensor:
    black = z.flatten(1).eq(0).all(1)
    z[black] = x[black]
    return z


def _torchattacks() -> Contestant:
    import torchattacks

    def standard(module: nn.Module, task: Task) -> Any:
        whole = torchattacks.AutoAttack(module, eps=task.epsilon, seed=0)
        common = {"eps": task.epsilon, "norm": "Linf", "n_restarts": 1, "seed": 0}
        whole._autoattack.attacks = [
            torchattacks.APGD(module, steps=100, **common),
            torchattacks.APGDT(module, steps=100, n_classes=CLASSES, **common),
            torchattacks.FAB(module, steps=100, n_classes=CLASSES, multi_targeted=True, **common),
            torchattacks.Square(module, n_queries=5000, **common),
        ]
        return whole

    build: dict[tuple[str, str], Callable[[nn.Module, Task], Any]] = {
        ("fgsm", "linf"): lambda m, t: torchattacks.FGSM(m, eps=t.epsilon),
        ("pgd", "linf"): lambda m, t: torchattacks.PGD(m, eps=t.epsilon, alpha=t.alpha, steps=t.steps),
        ("pgd", "l2"): lambda m, t: torchattacks.PGDL2(m, eps=t.epsilon, alpha=t.alpha, steps=t.steps),
        ("mim", "linf"): lambda m, t: torchattacks.MIFGSM(m, eps=t.epsilon, alpha=t.alpha, steps=t.steps),
        ("deepfool", "l2"): lambda m, t: torchattacks.DeepFool(m, steps=t.steps),
        ("cw", "l2"): lambda m, t: torchattacks.CW(m, c=1, steps=t.steps, lr=0.05) if t.searches == 1 else None,
        ("apgd", "linf"): lambda m, t: torchattacks.APGD(m, eps=t.epsilon, steps=t.steps),
        ("square", "linf"): lambda m, t: torchattacks.Square(m, eps=t.epsilon, n_queries=t.steps),
        ("autoattack", "linf"): standard,
    }
    return _from_table(build)


def _from_table(build: dict[tuple[str, str], Callable[[nn.Module, Task], Any]]) -> Contestant:
    def contestant(module: nn.Module, task: Task) -> Attack | None:
        found: Attack | None = build.get((task.kind, task.norm), lambda *_: None)(module, task)
        return found

    return contestant


def _reference() -> Contestant:
    from autoattack import AutoAttack
    from autoattack.autopgd_base import APGDAttack
    from autoattack.square import SquareAttack

    def apgd(module: nn.Module, task: Task) -> Attack:
        attack = APGDAttack(module, n_iter=task.steps, norm=_NORMS[task.norm], eps=task.epsilon, seed=0, device="cpu")
        return attack.perturb

    def square(module: nn.Module, task: Task) -> Attack:
        budget = {"n_queries": task.steps, "eps": task.epsilon, "norm": _NORMS[task.norm]}
        attack = SquareAttack(module, **budget, seed=0, device="cpu", resc_schedule=True)
        return attack.perturb

    def whole(module: nn.Module, task: Task) -> Attack:
        attack = AutoAttack(module, norm=_NORMS[task.norm], eps=task.epsilon, seed=0, verbose=False, device="cpu")
        return lambda x, y: attack.run_standard_evaluation(x, y, bs=len(x))

    return _from_table({("apgd", "linf"): apgd, ("square", "linf"): square, ("autoattack", "linf"): whole})


def _cleverhans() -> Contestant:
    from cleverhans.torch.attacks.carlini_wagner_l2 import carlini_wagner_l2
    from cleverhans.torch.attacks.fast_gradient_method import fast_gradient_method
    from cleverhans.torch.attacks.projected_gradient_descent import projected_gradient_descent

    box = {"clip_min": 0.0, "clip_max": 1.0}

    def pgd(module: nn.Module, task: Task) -> Attack:
        norm, more = torch.inf if task.norm == "linf" else 2, box | {"sanity_checks": False}
        steps = (task.epsilon, task.alpha, task.steps, norm)
        return lambda x, y: projected_gradient_descent(module, x, *steps, y=y, **more).detach()

    def cw(module: nn.Module, task: Task) -> Attack:
        search = {"binary_search_steps": task.searches, "max_iterations": task.steps, "initial_const": 1.0, "lr": 0.05}
        return lambda x, y: carlini_wagner_l2(module, x, CLASSES, y=y, **search).detach()

    def fgsm(module: nn.Module, task: Task) -> Attack:
        return lambda x, y: fast_gradient_method(module, x, task.epsilon, torch.inf, y=y, **box).detach()

    return _from_table({("fgsm", "linf"): fgsm, ("pgd", "linf"): pgd, ("pgd", "l2"): pgd, ("cw", "l2"): cw})


def _adv_lib() -> Contestant:
    attacks = imported_adv_lib()

    def pgd(module: nn.Module, task: Task) -> Attack:
        budget = {"ε": task.epsilon, "steps": task.steps, "absolute_step_size": task.alpha}
        return lambda x, y: attacks.pgd_linf(module, x, y, **budget)

    def cw(module: nn.Module, task: Task) -> Attack:
        budget = {"binary_search_steps": task.searches, "max_iterations": task.steps}
        return lambda x, y: attacks.carlini_wagner_l2(module, x, y, learning_rate=0.05, initial_const=1.0, **budget)

    def deepfool(module: nn.Module, task: Task) -> Attack:
        return lambda x, y: attacks.df(module, x, y, steps=task.steps, return_unsuccessful=True)

    def apgd(module: nn.Module, task: Task) -> Attack:
        budget = {"eps": task.epsilon, "n_iter": task.steps, "norm": torch.inf, "loss_function": "ce"}
        return lambda x, y: attacks.apgd(module, x, y, **budget)

    return _from_table({("pgd", "linf"): pgd, ("cw", "l2"): cw, ("deepfool", "l2"): deepfool, ("apgd", "linf"): apgd})


def imported_adv_lib() -> Any:
    """Its attacks, imported while empty modules have the places of what it imports and they do not use."""
    absent = ("torchvision", "torchvision.models", "visdom")
    missing = [name for name in absent if find_spec(name.partition(".")[0]) is None]
    sys.modules.update({name: ModuleType(name) for name in missing})
    try:
        return import_module("adv_lib.attacks")
    finally:
        for name in missing:
            del sys.modules[name]


def _art() -> Contestant:
    from attacks_peer_art import contestant

    return contestant


_PEERS: tuple[tuple[str, str, Callable[[], Contestant]], ...] = (
    ("foolbox", "foolbox", _foolbox),
    ("torchattacks", "torchattacks", _torchattacks),
    ("ART", "adversarial-robustness-toolbox", _art),
    ("cleverhans", "cleverhans", _cleverhans),
    ("autoattack", "autoattack", _reference),
    ("adv-lib", "adv-lib", _adv_lib),
)
