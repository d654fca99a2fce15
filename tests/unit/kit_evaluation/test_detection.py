"""The area under a curve and what is caught at a share of false alarms."""

import pytest
import torch
from sklearn.metrics import roc_auc_score

from advorch.kit.evaluation.detection import roc


def test_the_area_is_that_of_scikit_learn_ties_included() -> None:
    rng = torch.Generator().manual_seed(0)
    clean, hard = (torch.randint(0, 30, (count,), generator=rng) + shift for count, shift in ((200, 0), (90, 6)))
    labels = [0] * 200 + [1] * 90
    assert roc(clean, hard).area == pytest.approx(roc_auc_score(labels, torch.cat([clean, hard]).tolist()))


def test_what_is_told_apart_and_what_is_not() -> None:
    low, high = torch.arange(10.0), torch.arange(10.0) + 100
    assert roc(low, high).area == 1.0
    assert roc(high, low).area == 0.0
    assert roc(low, low).area == 0.5


def test_what_is_caught_at_a_share_of_false_alarms() -> None:
    clean, hard = torch.arange(100.0), torch.tensor([98.5, 94.5, 50.0, 200.0])
    found = roc(clean, hard)
    assert [found.caught_at(share) for share in (0.0, 0.01, 0.05, 0.5, 1.0)] == [0.25, 0.5, 0.75, 1.0, 1.0]
