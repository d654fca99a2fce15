"""Eight numbers, two models that are thresholds, and three adversarial sets whose every verdict is known by hand.

            id   10   11   12   13   14   15   16   17
             x  .10  .20  .30  .45  .55  .70  .80  .90
             y    0    0    0    0    1    1    1    0
    middle .5     0    0    0    0    1    1    1    1     7 of 8 right
    early .25     0    0    1    1    1    1    1    1     5 of 8 right

`first` is against middle, has ids 15 to 10 in that order, fools 13 and 14, breaks its ball at 12, and claims 10 too.
`second` is against middle, has all ids, fools 13. `strange` is against another model, has 10, 16 and an unknown id.
"""

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor, nn

from advorch.canonical import Json
from advorch.kit.adversarial_set import AdversarialSet
from advorch.kit.data import Data
from advorch.kit.evaluation.subject import Subject, SubjectModel, name_sets

X = {10: 0.10, 11: 0.20, 12: 0.30, 13: 0.45, 14: 0.55, 15: 0.70, 16: 0.80, 17: 0.90}
Y = {10: 0, 11: 0, 12: 0, 13: 0, 14: 1, 15: 1, 16: 1, 17: 0}
CLASSES = ("low", "<b>high</b>")


class Threshold(nn.Module):
    """Class one above a value."""

    at: Tensor

    def __init__(self, at: float) -> None:
        super().__init__()
        self.register_buffer("at", torch.tensor([at]))

    def forward(self, x: Tensor) -> Tensor:
        height = x.flatten(1) - self.at
        return torch.cat([-height, height], dim=1)


def numbers() -> Data:
    x, y = torch.tensor(list(X.values()))[:, None], torch.tensor(list(Y.values()))
    return Data(x=x, y=y, ids=torch.tensor(list(X)), classes=CLASSES, box=(0.0, 1.0))


def attacked(
    ids: Sequence[int],
    moved: Mapping[int, float],
    *,
    at: float,
    model: str,
    claims: Sequence[int] = (),
    **settings: Json,
) -> AdversarialSet:
    """A set with what an honest attack would record, and the claims that it makes besides."""
    clean = torch.tensor([X.get(index, 0.5) for index in ids])
    y = torch.tensor([Y.get(index, 0) for index in ids])
    changed = torch.tensor([moved.get(index, X.get(index, 0.5)) for index in ids])
    before, after = (clean > at).long(), (changed > at).long()
    claimed = torch.tensor([index in claims for index in ids])
    return AdversarialSet(
        adversarial=changed[:, None], ids=torch.tensor(list(ids)), y=y, clean_prediction=before,
        adversarial_prediction=torch.where(claimed, 1 - y, after), success=(before == y) & ((after != y) | claimed),
        distance=(changed - clean).abs(), queries=torch.ones(len(ids)), classes=CLASSES, box=(0.0, 1.0),
        attack="attack/pgd", settings={"norm": "linf", "epsilon": 0.1, "targeted": False, "chunk": 4, **settings},
        model=model, data="data", label={"middle": "erm middle"}.get(model, "erm unknown"),
    )  # fmt: skip


def first() -> AdversarialSet:
    moved = {12: 0.60, 13: 0.52, 14: 0.48}
    return attacked([15, 14, 13, 12, 11, 10], moved, at=0.5, model="middle", claims=[10], steps=10)


def second() -> AdversarialSet:
    return attacked(list(X), {13: 0.51}, at=0.5, model="middle", steps=20)


def strange() -> AdversarialSet:
    return attacked([10, 16, 99], {10: 0.05, 16: 0.75}, at=0.5, model="other", steps=10)


@pytest.fixture
def middle() -> SubjectModel:
    return SubjectModel(label="erm middle", digest="middle", module=Threshold(0.5))


@pytest.fixture
def early() -> SubjectModel:
    return SubjectModel(label="erm early", digest="early", module=Threshold(0.25))


@pytest.fixture
def subject(middle: SubjectModel, early: SubjectModel) -> Subject:
    return Subject(
        data=numbers(),
        data_digest="data",
        models=(middle, early),
        adversarials=name_sets([first(), second(), strange()]),
    )
