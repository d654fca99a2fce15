from advorch.engine.tally import SoFar


def test_shares_are_of_all_chunks_so_far() -> None:
    so_far = SoFar()
    assert so_far.shares() == {}
    so_far.add({"robust_accuracy": (3, 4)})
    so_far.add({"robust_accuracy": (1, 4), "other": (0, 0)})
    assert so_far.shares() == {"robust_accuracy": 0.5}
    so_far.add({})
    assert so_far.shares() == {"robust_accuracy": 0.5}
