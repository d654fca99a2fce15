"""`${...}` in scalars: pieces, names, and filled values with their marks."""

from collections.abc import Mapping

import pytest

from advorch.errors import Problem
from advorch.spec.compose import compose, source_of
from advorch.spec.expression import ExpressionError, Path, UnknownName
from advorch.spec.interpolate import condition, expressions, fill, names
from advorch.spec.nodes import MapNode, Node, Scalar

VALUES: Mapping[str, object] = {
    "params.epsilon": 0.3,
    "params.steps": 10,
    "params.whole": 3.0,
    "params.flag": True,
    "params.nothing": None,
    "params.list": [1, 2],
    "params.map": {"a": 1},
    "params.name": "pgd",
}


def lookup(name: Path) -> object:
    text = ".".join(name)
    if text not in VALUES:
        raise UnknownName(name, VALUES)
    return VALUES[text]


def node(text: str) -> MapNode:
    problems: list[Problem] = []
    found = compose(text, source_of("file.yaml", text), problems)
    assert problems == []
    assert isinstance(found, MapNode)
    return found


def scalar(written: str) -> Scalar:
    found = node(f"key: {written}\n").get("key")
    assert isinstance(found, Scalar)
    return found


def filled(written: str) -> object:
    problems: list[Problem] = []
    value = fill(scalar(written), lookup, problems).value
    assert problems == []
    return value


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("${params.epsilon}", 0.3), ("${params.list}", [1, 2]), ("${params.map}", {"a": 1}),
        ("${params.nothing}", None),
        ("'${params.steps}'", 10), ("a-${params.steps}", "a-10"), ("${params.epsilon}${params.steps}", "0.310"),
        ("x ${params.flag} ${params.nothing}", "x true null"), ("${params.whole}!", "3.0!"),
        ("attack/${params.name}", "attack/pgd"),
        ("$${params.epsilon}", "${params.epsilon}"), ("a$${b}${params.steps}", "a${b}10"), ("$$${x}", "$${x}"),
        ("$5", "$5"), ("\"${'}'}\"", "}"), ("\"${'a' if params.flag else 'b'}x\"", "ax"), ("1e-3", 0.001),
        ("plain", "plain"),
        ("|\n  a ${params.steps}\n  b\n", "a 10\nb\n"),
    ],
)  # fmt: skip
def test_filling(written: str, expected: object) -> None:
    value = filled(written)
    assert value == expected
    assert type(value) is type(expected)


def test_marks_point_into_the_source() -> None:
    tree = node("a: {b: [1, \"${params.epsilon}\"]}\n'c': x\n")
    problems: list[Problem] = []
    found = fill(tree, lookup, problems)
    assert found.value == {"a": {"b": [1, 0.3]}, "c": "x"}
    assert found.marks[("a", "b", 1)].column == 12
    assert found.keys[("a", "b")].column == 5
    assert found.key_mark(("c",)) == tree.entries["c"].key
    assert found.mark(("a", "b", 1, "inside", 0)) == found.marks[("a", "b", 1)]
    assert found.mark(("gone",)) == tree.mark


@pytest.mark.parametrize(
    ("written", "line", "column"),
    [
        ("${params.epsilom}", 1, 8),
        ("'${params.epsilom}'", 1, 9),
        ('"\\t\\u00e9 ${params.epsilom}"', 1, 18),
        ("'it''s ${params.epsilom}'", 1, 15),
        ("$${params.epsilom} ${params.steps} ${params.epsilom}", 1, 43),
        ("${params.steps} + ${params.steps + params.epsilom}", 1, 41),
        ("|\n  first\n  second ${params.epsilom}\n", 3, 12),
        (">-\n  first\n  second ${params.epsilom}\n", 3, 12),
        ("plain text\n  goes on ${params.epsilom}\n", 2, 13),
        ('"\\x24{params.epsilom}"', 1, 6),
    ],
)
def test_unknown_names_are_placed_whatever_the_quoting(written: str, line: int, column: int) -> None:
    problems: list[Problem] = []
    assert fill(scalar(written), lookup, problems).value is None
    [problem] = problems
    assert problem.code == "E022"
    assert problem.place
    assert (problem.place.line, problem.place.column) == (line, column)
    assert "did you mean 'params.epsilon'?" in problem.hint


def test_all_problems_are_found_in_one_pass() -> None:
    problems: list[Problem] = []
    fill(node('a: ${params.x}\nb: ["${1 / 0}", "${params.list}!", "${1 +}"]\n'), lookup, problems)
    assert [item.code for item in problems] == ["E022", "E021", "E021", "E020"]


def test_secrets_are_left_as_they_are() -> None:
    problems: list[Problem] = []
    tree = node("token: {secret: '${params.name}'}\nother: {secret: '${params.name}', more: 1}\n")
    value = fill(tree, lookup, problems).value
    assert value == {"token": {"secret": "${params.name}"}, "other": {"secret": "pgd", "more": 1}}
    assert list(names(tree)) == [("params", "name")]
    assert names(tree)[("params", "name")].line == 2


def test_names_come_in_the_order_of_the_file() -> None:
    tree = node("a: {b: '${x.y + z}'}\nc: ['${z}', 'w${q.r}']\nd: 3\n")
    assert list(names(tree)) == [("x", "y"), ("z",), ("q", "r")]
    assert [mark.line for mark in names(tree).values()] == [1, 1, 2]


def test_a_text_has_its_expressions_in_order() -> None:
    found = expressions(scalar("${a} and ${b.c} but not $${d}"))
    assert [item.text for item in found] == ["a", "b.c"]


def test_an_open_brace_is_an_error_at_its_place() -> None:
    with pytest.raises(ExpressionError, match="never closed") as caught:
        expressions(scalar("'${a} ${b'"))
    assert caught.value.place.column == 12


@pytest.mark.parametrize("written", ["a.b >= 0.5", "'a.b >= 0.5'", "${a.b >= 0.5}", '"${a.b >= 0.5}"'])
def test_a_condition_may_stand_bare(written: str) -> None:
    found = condition(scalar(written))
    assert found.names == {("a", "b")}
    assert found.evaluate(lambda name: 0.7) is True
    assert found.mark.place().text[found.mark.column - 1 :].startswith("a.b")


def test_texts_and_values_cannot_grow_without_bound() -> None:
    long = ["x"] * 60_000
    problems: list[Problem] = []
    tree: Node = node("a: ['${v}', '${v}']\nb: 'x${t}'\n")
    fill(tree, lambda name: long if name == ("v",) else "y" * 70_000, problems)
    assert [item.code for item in problems] == ["E009", "E009"]
