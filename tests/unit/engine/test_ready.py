"""Cells that wait for room, in lines."""

from advorch.engine.ready import Ready
from advorch.plan.cells import Cell, Settled

SMALL, LARGE = {"cpu": 1.0}, {"cpu": 4.0}


def settled(address: str, key: str = "") -> Settled:
    cell = Cell(
        address=address,
        stage=address,
        component=None,  # type: ignore[arg-type]
        inputs={},
        after=frozenset(),
    )
    return Settled(cell=cell, key=key or address, parts={}, params={}, inputs={}, seed=0)


def filled(*requests: dict[str, float]) -> Ready:
    ready = Ready()
    for number, request in enumerate(requests):
        ready.add(settled(str(number)), request)
    return ready


def addresses(ready: Ready) -> list[str]:
    return [item.cell.address for item in ready]


def test_cells_are_tried_in_order_of_arrival_whatever_they_ask_for() -> None:
    ready = filled(SMALL, LARGE, SMALL, LARGE)
    assert [item.cell.address for _, item in ready.in_turn()] == ["0", "1", "2", "3"]
    assert addresses(ready) == ["0", "1", "2", "3"]


def test_a_refusal_holds_for_all_that_ask_for_the_same_and_for_one_pass() -> None:
    ready = filled(LARGE, SMALL, LARGE, SMALL)
    for _ in range(2):
        tried = []
        for line, item in ready.in_turn():
            tried.append(item.cell.address)
            line.refused = line.request == LARGE
        assert tried == ["0", "1", "3"]


def test_a_cell_that_starts_leaves_its_line_while_the_others_are_tried() -> None:
    ready = filled(SMALL, LARGE, SMALL)
    for _, item in ready.in_turn():
        ready.remove(item)
        ready.remove(item)
    assert not ready
    assert addresses(ready) == []


def test_a_thousand_that_wait_are_not_looked_at_one_by_one() -> None:
    ready = filled(*[SMALL] * 1000, *[LARGE] * 1000)
    tried = 0
    for line, _ in ready.in_turn():
        tried += 1
        line.refused = True
    assert tried == 2


def test_each_is_told_of_once() -> None:
    ready = filled(SMALL, SMALL)
    line, first = next(iter(ready.in_turn()))
    ready.remove(first)
    assert [item.cell.address for item in line.newcomers()] == ["1"]
    ready.add(settled("2"), SMALL)
    assert [item.cell.address for item in line.newcomers()] == ["2"]
    assert line.newcomers() == []


def test_equal_cells_are_found_in_every_line() -> None:
    ready = filled(SMALL)
    ready.add(settled("a", key="same"), SMALL)
    ready.add(settled("b", key="same"), LARGE)
    assert [item.cell.address for item in ready.equal("same")] == ["a", "b"]
