"""A trainer of small double-precision models with a part, and a turn that a descent can be handed by itself."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.kit.data import Data
from advorch.kit.training.parts import Parts, Site
from advorch.kit.training.step import Step, no_attacks
from advorch.kit.training.trainer import Recipe, Trainer
from advorch.params import Params
from advorch.seeds import Seeds
from advorch.settings import TrainingSettings
from advorch.testing.objectives import attack_by_sign

Make = Callable[[Site, Any], Parts]


def cloud(count: int = 24, classes: int = 2, shape: tuple[int, ...] = (3,)) -> Data:
    """Points in a box, labelled by the size of their first value."""
    x = torch.rand(count, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = (x.flatten(1)[:, 0] * classes).long()
    names = tuple("abcdefgh"[:classes])
    return Data(x=x, y=y, ids=torch.arange(count), classes=names, box=(0.0, 1.0))


def smooth(classes: int = 2, inputs: int = 3) -> nn.Module:
    """Two layers of doubles."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(inputs, 5), nn.Tanh(), nn.Linear(5, classes)).double()


def plain(step: Step) -> Tensor:
    """Cross-entropy that tells who was right."""
    logits = step.model(step.x)
    step.judge(logits)
    return functional.cross_entropy(logits, step.y)


class Workshop:
    """Makes trainers and single steps."""

    plain = staticmethod(plain)
    cloud = staticmethod(cloud)
    smooth = staticmethod(smooth)

    def trainer(self, make: Make, params: Params, model: nn.Module | None = None, **values: Any) -> Trainer:
        """With a part, on all points at once unless `batch` says otherwise."""
        data, objective = values.pop("data", cloud()), values.pop("objective", plain)
        own = {"precision": "fp64", "batch": len(data), "optimizer": "sgd", "momentum": 0.0, "lr": 0.1, "epochs": 1}
        recipe = Recipe(
            model=model or smooth(), objective=objective, data=data, settings=TrainingSettings.parse(own | values),
            seeds=Seeds(3), attacks=attack_by_sign, parts=lambda site: make(site, params),
        )  # fmt: skip
        return Trainer(recipe)

    def step(self, model: nn.Module, data: Data | None = None) -> Step:
        """The whole data as one step."""
        data = data or cloud()
        return Step(
            model=model, x=data.x, y=data.y, ids=data.ids, unlabelled=None, epoch=1, index=0, progress=0.0,
            seeds=Seeds(3), attacks=no_attacks, box=data.box,
        )  # fmt: skip


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()
