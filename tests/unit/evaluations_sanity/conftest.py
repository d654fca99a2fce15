"""Small models with one fault each, and a way to put one question to one of them."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.adversarial_set import AdversarialSet
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject, SubjectModel, name_sets
from advorch.testing.evaluations import rows_of
from advorch.testing.fakes import LinearModel, tiny_data
from advorch.threat import Access
from advorch_builtins.evaluations.catalog_sanity import CHECKS, SanityParams
from advorch_builtins.evaluations.sanity.run import Sanity

FEATURES, CLASSES, COUNT = 12, 3, 24


class Faulty(nn.Module):
    """A sound model with something before it and something after it."""

    def __init__(
        self,
        model: nn.Module,
        before: Callable[[Tensor], Tensor] = lambda x: x,
        after: Callable[[Tensor], Tensor] = lambda z: z,
    ) -> None:
        super().__init__()
        self.model, self.before, self.after = model, before, after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.model(self.before(x)))


class Profile(nn.Module):
    """One number in; class one where a function of its distance from the middle is above zero."""

    def __init__(self, height: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.height = height

    def forward(self, x: Tensor) -> Tensor:
        value = self.height(x[:, 0] - 0.5)
        return torch.stack([torch.zeros_like(value), value], 1)


def sound() -> nn.Module:
    """Nothing is wrong with it."""
    return LinearModel(FEATURES, CLASSES)


def samples_of(module: nn.Module, *, count: int = COUNT, box: tuple[float, float] | None = (0.0, 1.0)) -> Data:
    """Samples that the model gets right."""
    return labelled(module, tiny_data(count, (FEATURES,), CLASSES, box=box))


def labelled(module: nn.Module, data: Data) -> Data:
    """The same samples, the labels being what the model says."""
    with torch.no_grad():
        y = module(data.x).argmax(1)
    return Data(x=data.x, y=y, ids=data.ids, classes=data.classes, box=data.box)


def middle(count: int = 8) -> Data:
    """One number each, all of them 0.5, all of class zero."""
    ids = torch.arange(count)
    return Data(x=torch.full((count, 1), 0.5), y=torch.zeros(count, dtype=torch.int64), ids=ids, classes=("a", "b"),
                box=(0.0, 1.0))  # fmt: skip


def handed_in(module: nn.Module, data: Data, moved: Tensor, **changed: Any) -> AdversarialSet:
    """What an honest attack would record of these points, and what is changed about it."""
    with torch.no_grad():
        before, after = module(data.x).argmax(1), module(moved).argmax(1)
    settings = {"norm": "linf", "epsilon": 0.1, "targeted": False, **changed.pop("settings", {})}
    honest: dict[str, Any] = {
        "adversarial": moved, "ids": data.ids, "y": data.y, "clean_prediction": before,
        "adversarial_prediction": after, "success": (before == data.y) & (after != data.y),
        "distance": (moved - data.x).flatten(1).abs().amax(1).double(), "queries": torch.ones(len(data)),
        "classes": data.classes, "box": data.box, "attack": "attack/pgd", "settings": settings, "model": "own",
        "data": "data", "label": "own model", "access": Access.GRADIENTS,
    }  # fmt: skip
    return AdversarialSet(**{**honest, **changed})


def examine(
    module: nn.Module, data: Data, sets: Sequence[AdversarialSet] = (), chunk: int = 16, **params: Any
) -> Findings:
    """The checks on one model."""
    torch.set_num_threads(1)
    model = SubjectModel(label="own model", digest="own", module=module.eval())
    subject = Subject(data=data, data_digest="data", models=(model,), adversarials=name_sets(list(sets)))
    small: dict[str, Any] = {"epsilon": 0.1, "steps": 5, "draws": 20, "queries": 20, **params}
    settings, evaluation = SanityParams.parse(small), Sanity()
    return evaluation.reduce(subject, rows_of(evaluation, subject, settings, chunk), settings)


def ask(check: str, module: nn.Module, data: Data | None = None, **given: Any) -> tuple[str, str]:
    """The verdict of one check alone, and its reason."""
    others = [name for name in CHECKS if name != check]
    found = examine(module, samples_of(module) if data is None else data, skip=others, **given)
    (row,) = found.tables["Checks"].rows
    return str(row[3]), str(row[4])


@pytest.fixture
def lab() -> SimpleNamespace:
    """All of this, for tests."""
    return SimpleNamespace(
        ask=ask, examine=examine, Faulty=Faulty, Profile=Profile, sound=sound, samples_of=samples_of, middle=middle,
        labelled=labelled, handed_in=handed_in,
    )  # fmt: skip
