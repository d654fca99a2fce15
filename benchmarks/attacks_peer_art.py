"""ART behind the call of the other libraries: arrays at the border, as its users have them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from art.attacks import evasion
from art.estimators.classification import PyTorchClassifier
from attacks_task import CLASSES, Attack, Task
from torch import Tensor, nn


def contestant(module: nn.Module, task: Task) -> Attack | None:
    """One batch of any size, without progress bars."""

    def attack(x: Tensor, y: Tensor) -> Tensor:
        classifier = PyTorchClassifier(
            module,
            loss=nn.CrossEntropyLoss(),
            input_shape=tuple(x.shape[1:]),
            nb_classes=CLASSES,
            clip_values=(0.0, 1.0),
            device_type="cpu",
        )
        found = _BUILD[task.kind, task.norm](classifier, task, len(x))
        return torch.from_numpy(found.generate(x.numpy(), y.numpy()))

    return attack if (task.kind, task.norm) in _BUILD else None


def _budget(task: Task) -> dict[str, Any]:
    return {"norm": np.inf if task.norm == "linf" else 2, "eps": task.epsilon, "max_iter": task.steps}


def _fgsm(classifier: Any, task: Task, batch: int) -> Any:
    return evasion.FastGradientMethod(classifier, norm=np.inf, eps=task.epsilon, batch_size=batch)


def _pgd(classifier: Any, task: Task, batch: int) -> Any:
    return evasion.ProjectedGradientDescent(
        classifier, eps_step=task.alpha, num_random_init=1, batch_size=batch, verbose=False, **_budget(task)
    )


def _mim(classifier: Any, task: Task, batch: int) -> Any:
    return evasion.MomentumIterativeMethod(
        classifier, eps_step=task.alpha, decay=1.0, batch_size=batch, verbose=False, **_budget(task)
    )


def _apgd(classifier: Any, task: Task, batch: int) -> Any:
    loss = {"loss_type": "cross_entropy", "nb_random_init": 1, "eps_step": 2 * (task.epsilon or 0.0)}
    return evasion.AutoProjectedGradientDescent(classifier, batch_size=batch, verbose=False, **loss, **_budget(task))


def _square(classifier: Any, task: Task, batch: int) -> Any:
    squares = {"p_init": 0.8, "nb_restarts": 1}
    return evasion.SquareAttack(classifier, batch_size=batch, verbose=False, **squares, **_budget(task))


def _deepfool(classifier: Any, task: Task, batch: int) -> Any:
    return evasion.DeepFool(
        classifier, max_iter=task.steps, epsilon=0.02, nb_grads=CLASSES, batch_size=batch, verbose=False
    )


def _cw(classifier: Any, task: Task, batch: int) -> Any:
    search = {"binary_search_steps": task.searches, "max_iter": task.steps, "initial_const": 1.0}
    return evasion.CarliniL2Method(classifier, learning_rate=0.05, batch_size=batch, verbose=False, **search)


_BUILD: dict[tuple[str, str], Callable[[Any, Task, int], Any]] = {
    ("fgsm", "linf"): _fgsm,
    ("pgd", "linf"): _pgd,
    ("pgd", "l2"): _pgd,
    ("mim", "linf"): _mim,
    ("deepfool", "l2"): _deepfool,
    ("cw", "l2"): _cw,
    ("apgd", "linf"): _apgd,
    ("square", "linf"): _square,
}
