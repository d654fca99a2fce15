import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from advorch.kit.evaluation.statistics import (
    Proportion,
    by_class,
    confusion,
    error_bars,
    paired_difference,
    proportion,
    tail,
    wilson,
    worst_case,
    worst_class,
)


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_against_published_intervals(count: int, total: int, low: float, high: float) -> None:
    interval = wilson(count, total)
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


def test_a_thousand_samples_tell_three_points() -> None:
    interval = wilson(500, 1000)
    assert (interval.high - interval.low) / 2 == pytest.approx(0.031, abs=5e-4)


@given(total=st.integers(1, 3000), share=st.floats(0, 1), confidence=st.floats(0.5, 0.999))
def test_wilson_solves_its_own_equation(total: int, share: float, confidence: float) -> None:
    count = round(share * total)
    interval = wilson(count, total, confidence)
    assert 0 <= interval.low <= count / total <= interval.high <= 1
    z = torch.special.ndtri(torch.tensor((1 + confidence) / 2, dtype=torch.float64)).item()
    for end in (interval.low, interval.high):
        assert abs(count / total - end) == pytest.approx(z * math.sqrt(end * (1 - end) / total), abs=1e-7)


def test_nothing_tells_nothing() -> None:
    assert wilson(0, 0) == wilson(0, 0).__class__(0.0, 1.0)
    assert math.isnan(Proportion(0, 0).value)


def test_classes_are_counted_apart_and_absent_ones_are_never_the_worst() -> None:
    y = torch.tensor([0, 0, 0, 1, 1, 3])
    correct = torch.tensor([True, True, False, False, True, True])
    accuracies = by_class(correct, y, 4)
    assert [(item.count, item.total) for item in accuracies] == [(2, 3), (1, 2), (0, 0), (1, 1)]
    assert worst_class(accuracies) == 1
    assert worst_class([Proportion(0, 0)]) is None


def test_the_tail_is_the_mean_of_the_worst_fifth() -> None:
    accuracies = [Proportion(count, 10) for count in (9, 1, 8, 3, 7, 6, 5, 4, 10, 2)]
    assert tail(accuracies) == pytest.approx(0.15)
    assert tail(accuracies[:3]) == pytest.approx(0.1)
    assert math.isnan(tail([]))


@given(st.lists(st.lists(st.booleans(), min_size=12, max_size=12), min_size=1, max_size=5))
def test_the_worst_case_is_no_better_than_any_attack(outcomes: list[list[bool]]) -> None:
    attacks = [torch.tensor(outcome) for outcome in outcomes]
    worst = proportion(worst_case(attacks)).value
    assert worst <= min(proportion(attack).value for attack in attacks)


def test_the_worst_case_is_by_sample() -> None:
    assert worst_case([torch.tensor([True, True, False]), torch.tensor([False, True, True])]).tolist() == [
        False,
        True,
        False,
    ]


def test_a_paired_difference_by_hand() -> None:
    # 100 samples: 20 that only the first gets right, 5 that only the second does.
    first = torch.tensor([True] * 20 + [False] * 5 + [True] * 75)
    second = torch.tensor([False] * 20 + [True] * 5 + [True] * 75)
    difference, interval = paired_difference(first, second)
    assert difference == pytest.approx(0.15)
    centre, spread = 15 / 102, math.sqrt((27 / 102 - (15 / 102) ** 2) / 102)
    assert interval.low == pytest.approx(centre - 1.959964 * spread)
    assert interval.high == pytest.approx(centre + 1.959964 * spread)


def test_a_paired_difference_changes_sign_with_its_order() -> None:
    first, second = torch.rand(50) > 0.3, torch.rand(50) > 0.5
    there, back = paired_difference(first, second), paired_difference(second, first)
    assert there[0] == -back[0]
    assert there[1].low == pytest.approx(-back[1].high)


def test_equal_models_differ_by_nothing_but_not_with_certainty() -> None:
    same = torch.ones(10, dtype=torch.bool)
    difference, interval = paired_difference(same, same)
    assert difference == 0
    assert interval.low < 0 < interval.high


def test_confusion_counts_rows_by_truth() -> None:
    counts = confusion(torch.tensor([0, 0, 1, 2]), torch.tensor([0, 2, 1, 0]), 3)
    assert counts.tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_a_share_of_nothing_is_a_blank_in_a_table() -> None:
    assert (Proportion(0, 0).known, Proportion(0, 0).bounded) == (None, (None, None, None))
    interval = Proportion(3, 8).interval()
    assert (Proportion(3, 8).known, Proportion(3, 8).bounded) == (3 / 8, (3 / 8, interval.low, interval.high))


def test_error_bars_reach_to_the_ends_of_the_intervals() -> None:
    shares = [Proportion(0, 4), Proportion(3, 4), Proportion(4, 4)]
    below, above = error_bars(shares)
    for share, low, high in zip(shares, below, above, strict=True):
        interval = share.interval()
        assert (share.value - low, share.value + high) == pytest.approx((interval.low, interval.high))
    assert below[0] == above[2] == 0
