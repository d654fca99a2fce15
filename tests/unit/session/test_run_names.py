"""Names of runs."""

from advorch.session.naming import name_run


def test_runs_of_one_second_are_named_in_the_order_in_which_they_began() -> None:
    moments = [1_795_197_199 + share / 1000 for share in range(0, 1000, 7)]
    names = [name_run(moment) for moment in moments]
    assert names == sorted(names)
    assert len({name[:15] for name in names}) == 1
    assert {len(name) for name in names} == {20}


def test_two_runs_of_one_moment_differ_mostly() -> None:
    assert len({name_run(1_795_197_199.5) for _ in range(64)}) > 8
