"""Which cells are open."""

from advorch.engine.frontier import Frontier
from advorch.plan.cells import Cell


def cell(address: str, *after: str, maybe: tuple[str, ...] = ()) -> Cell:
    return Cell(
        address=address,
        stage=address,
        component=None,  # type: ignore[arg-type]
        inputs={},
        after=frozenset(after),
        optional_after=frozenset(maybe),
    )


def open_now(frontier: Frontier) -> list[str]:
    return [item.address for item in frontier.take_open()]


def test_cells_open_when_all_that_they_wait_for_has_ended() -> None:
    cells = [cell("a"), cell("b", "a"), cell("c", "a", maybe=("b",))]
    frontier = Frontier({item.address: item for item in cells})
    assert open_now(frontier) == ["a"]
    assert open_now(frontier) == []
    frontier.ended("a")
    assert open_now(frontier) == ["b"]
    frontier.ended("b")
    assert open_now(frontier) == ["c"]
    assert frontier.untouched() == []


def test_what_was_never_opened_is_left_over() -> None:
    frontier = Frontier({"a": cell("a"), "b": cell("b", "a")})
    frontier.take_open()
    assert [item.address for item in frontier.untouched()] == ["b"]
    assert not frontier
