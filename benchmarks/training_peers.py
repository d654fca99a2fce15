"""Other libraries' trainers behind one call: one pass over the data.

ART: `pip install adversarial-robustness-toolbox`. MAIR: https://github.com/Harry24k/MAIR on the path; its data
sets, which one of its modules downloads on import, are left out.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from training_by_hand import ALPHA, BETA, EPSILON, STEPS

from advorch.kit.data import Data

Peer = Callable[[str, tuple[nn.Module, Optimizer], Data, int], None]
RECIPES = {"ART": ("pgd",), "MAIR": ("pgd", "trades", "mart", "awp")}


def installed() -> Iterator[tuple[str, Peer]]:
    """Those that can be imported."""
    if importlib.util.find_spec("art"):
        yield "ART", art
    if importlib.util.find_spec("mair"):
        yield "MAIR", mair


def art(recipe: str, trained: tuple[nn.Module, Optimizer], data: Data, batch: int) -> None:
    """Arrays at the border, as its users have them; its trainers for TRADES and FBF want models of several outputs."""
    from art.attacks.evasion import ProjectedGradientDescent
    from art.defences import trainer
    from art.estimators.classification import PyTorchClassifier

    model, optimizer = trained
    classifier = PyTorchClassifier(
        model, loss=nn.CrossEntropyLoss(), optimizer=optimizer, input_shape=tuple(data.x.shape[1:]), nb_classes=10,
        clip_values=(0.0, 1.0), device_type="cpu",
    )  # fmt: skip
    attack = ProjectedGradientDescent(
        classifier, eps=EPSILON, eps_step=ALPHA, max_iter=STEPS, num_random_init=1, batch_size=batch, verbose=False
    )
    x, y = data.x.numpy(), torch.nn.functional.one_hot(data.y, 10).numpy()
    trainer.AdversarialTrainer(classifier, attack, ratio=1.0).fit(x, y, nb_epochs=1, batch_size=batch)


def mair(recipe: str, trained: tuple[nn.Module, Optimizer], data: Data, batch: int) -> None:
    """Batch by batch, without its records."""
    sys.modules.setdefault("mair.utils.datasets", _Hollow("mair.utils.datasets"))
    library: Any = importlib.import_module("mair")
    model = library.RobModel(trained[0], n_classes=10)
    budget = {"eps": EPSILON, "alpha": ALPHA, "steps": STEPS}
    made = {"trades": library.TRADES, "mart": library.MART}.get(recipe, library.AT)(
        model, **budget, **({"beta": BETA} if recipe in ("trades", "mart") else {})
    )
    made.setup(optimizer=trained[1], minimizer="AWP(rho=5e-3)" if recipe == "awp" else None)
    model.train()
    for start in range(0, len(data), batch):
        made._init_dicts_record_save()
        made._update_weight((data.x[start : start + batch], data.y[start : start + batch]))


class _Hollow(ModuleType):
    """Any name from it is a class that nobody will use."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})
