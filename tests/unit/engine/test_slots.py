"""Counted resources."""

from advorch.engine.slots import Slots


def test_a_request_is_granted_whole_or_not_at_all() -> None:
    slots = Slots({"cpu": 2, "license": 1})
    assert slots.take({"cpu": 1, "license": 1})
    assert not slots.take({"cpu": 1, "license": 1})
    assert slots.take({"cpu": 1}), "the refused request must not have kept its cpu"
    assert not slots.take({"cpu": 0.5})


def test_what_is_given_back_can_be_taken_again() -> None:
    slots = Slots({"cpu": 1})
    assert slots.take({"cpu": 1})
    slots.give({"cpu": 1})
    assert slots.take({"cpu": 1})


def test_fractions_add_up_to_the_whole() -> None:
    slots = Slots({"gpu": 1})
    assert all(slots.take({"gpu": 0.1}) for _ in range(10))
    assert not slots.take({"gpu": 0.1})


def test_names_without_a_capacity_are_unlimited() -> None:
    assert Slots({}).take({"cpu": 1e9})


def test_a_request_that_can_never_be_met_is_told_apart_from_one_that_waits() -> None:
    slots = Slots({"gpu": 1})
    assert slots.never({"gpu": 2}) == "2 gpu of 1 gpu"
    assert Slots({"memory": 2**30}).never({"memory": 2**31}) == "2 GiB of 1 GiB"
    assert slots.never({"gpu": 1}) == ""
    slots.take({"gpu": 1})
    assert slots.lacking({"gpu": 1}) == "1 gpu, 0 gpu free"
