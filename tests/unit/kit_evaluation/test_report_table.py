import pytest

from advorch.kit.evaluation.findings import Look, Table
from advorch.kit.evaluation.report_table import NOTHING, Layout, layout, per_cent, shown

COLUMNS = ("model", "share", "low", "high", "broken", "note")
ROWS = (
    ("one", 0.25, 0.2, 0.301, 0, None),
    ("one", None, None, None, 0, "x"),
    ("two", 1.0, 0.9, 1.0, None, "y"),
)
LOOK = Look(
    shares=frozenset({"share", "low", "high"}), intervals=(("share", "low", "high"),), usual=(("broken", 0),)
)  # fmt: skip


def shape(broken: int = 0) -> Layout:
    first, *rest = ROWS
    return layout(Table(COLUMNS, ((*first[:4], broken, None), *rest), "what it says", LOOK))


def test_values_are_shown_as_readers_want_them() -> None:
    assert [shown(value) for value in (None, 0.5, 3, 10000, True, "x")] == [
        NOTHING,
        "0.5000",
        "3",
        "10,000",
        "yes",
        "x",
    ]
    assert [per_cent(value) for value in (None, 0.5, -0.0251, 1, "x")] == [NOTHING, "50.0%", "-2.5%", "100.0%", "x"]


def test_bounds_stand_beside_their_value() -> None:
    found = shape()
    assert found.headings == ("model", "share", "note")
    assert [(row[1].text, row[1].interval) for row in found.rows] == [
        ("25.0%", "20.0 to 30.1"),
        (NOTHING, ""),
        ("100.0%", "90.0 to 100.0"),
    ]


def test_equal_first_cells_are_one_tall_cell() -> None:
    assert [(row[0].text, row[0].span) for row in shape().rows] == [("one", 2), ("one", 0), ("two", 1)]


def test_columns_of_numbers_are_known() -> None:
    assert shape().numeric == (False, True, False)


def test_what_is_as_usual_has_no_column() -> None:
    assert "broken" not in shape(0).headings
    found = shape(7)
    assert found.headings == ("model", "share", "broken", "note")
    assert [row[2].text for row in found.rows] == ["7", "0", NOTHING]


def test_a_table_without_rows_has_headings() -> None:
    found = layout(Table(("a", "b"), ()))
    assert (found.headings, found.rows) == (("a", "b"), ())


def test_a_first_column_of_numbers_is_never_joined() -> None:
    assert [row[0].span for row in layout(Table(("a",), ((1,), (1,)))).rows] == [1, 1]


def test_a_look_at_columns_that_are_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="does not have: high, low"):
        Table(("a",), (), look=Look(intervals=(("a", "low", "high"),)))
