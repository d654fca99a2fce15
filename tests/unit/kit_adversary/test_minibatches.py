import pytest
import torch

from advorch.kit.adversary.minibatches import Minibatches


def test_every_pass_visits_every_sample_once() -> None:
    drawn = torch.cat([Minibatches(10, 4, seed=1).at(position) for position in range(5)])
    assert sorted(drawn[:10].tolist()) == list(range(10))
    assert sorted(drawn[10:].tolist()) == list(range(10))
    assert drawn[:10].tolist() != drawn[10:].tolist()


def test_any_position_can_be_asked_for_in_any_order() -> None:
    forwards, backwards = Minibatches(7, 3, seed=4), Minibatches(7, 3, seed=4)
    expected = [forwards.at(position).tolist() for position in range(8)]
    assert [backwards.at(position).tolist() for position in reversed(range(8))] == expected[::-1]


def test_a_batch_may_be_larger_than_the_data() -> None:
    counts = torch.bincount(Minibatches(3, 9, seed=0).at(0))
    assert counts.tolist() == [3, 3, 3]


def test_seeds_differ_in_order() -> None:
    assert Minibatches(100, 100, seed=0).at(0).tolist() != Minibatches(100, 100, seed=1).at(0).tolist()


def test_no_samples_is_an_error() -> None:
    with pytest.raises(ValueError, match="no samples"):
        Minibatches(0, 3, seed=0)
