"""ART behind the call of the other libraries: arrays at the border, as its users have them."""

from typing import Any

import numpy as np
import torch
from art.attacks import evasion
from art.estimators.classification import PyTorchClassifier
from torch import Tensor, nn

from attacks_task import CLASSES, Attack, Task


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
        found = _named(classifier, task, len(x))
        return torch.from_numpy(found.generate(x.numpy(), y.numpy()))

    return attack if (task.kind, task.norm) in _KNOWN else None


_KNOWN = {
    ("fgsm", "linf"),
    ("pgd", "linf"),
    ("pgd", "l2"),
    ("mim", "linf"),
    ("deepfool", "l2"),
    ("cw", "l2"),
    ("apgd", "linf"),
    ("square", "linf"),
}


def _named(classifier: Any, task: Task, batch: int) -> Any:
    norm = np.inf if task.norm == "linf" else 2
    common: dict[str, Any] = {"batch_size": batch, "verbose": False}
    if task.kind == "fgsm":
        return evasion.FastGradientMethod(classifier, norm=norm, eps=task.epsilon, batch_size=batch)
    if task.kind == "deepfool":
        return evasion.DeepFool(classifier, max_iter=task.steps, epsilon=0.02, nb_grads=CLASSES, **common)
    if task.kind == "cw":
        search = {"binary_search_steps": task.searches, "max_iter": task.steps, "initial_const": 1.0}
        return evasion.CarliniL2Method(classifier, learning_rate=0.05, **search, **common)
    if task.kind == "square":
        return evasion.SquareAttack(
            classifier, norm=norm, eps=task.epsilon, max_iter=task.steps, p_init=0.8, nb_restarts=1, **common
        )
    budget = {"norm": norm, "eps": task.epsilon, "max_iter": task.steps}
    if task.kind == "apgd":
        loss = {"loss_type": "cross_entropy", "nb_random_init": 1, "eps_step": 2 * (task.epsilon or 0.0)}
        return evasion.AutoProjectedGradientDescent(classifier, **budget, **loss, **common)
    if task.kind == "mim":
        return evasion.MomentumIterativeMethod(classifier, eps_step=task.alpha, decay=1.0, **budget, **common)
    return evasion.ProjectedGradientDescent(classifier, eps_step=task.alpha, num_random_init=1, **budget, **common)
