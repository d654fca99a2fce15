"""Parameters that read parameters: any order, any depth, no circles."""

from collections.abc import Mapping

import pytest

from advorch.errors import Problem
from advorch.spec.compose import compose, source_of
from advorch.spec.expression import UnknownName
from advorch.spec.interpolate import fill
from advorch.spec.nodes import MapNode
from advorch.spec.parameters import Parameters


def parameters(text: str) -> tuple[Parameters, list[Problem]]:
    problems: list[Problem] = []
    root = compose(text, source_of("file.yaml", text), problems)
    assert isinstance(root, MapNode)
    assert problems == []
    return Parameters(root, problems), problems


def plain(found: Parameters) -> Mapping[str, object]:
    problems: list[Problem] = []
    values = {key: fill(node, found, problems).value for key, node in found.nodes().items()}
    assert problems == []
    return values


def test_values_are_settled_in_the_order_of_need() -> None:
    found, problems = parameters(
        "a: ${params.b * 2}\nb: ${params.c.d + 1}\nc: {d: 3, e: '${params.c.d}'}\nf: '<${params.a}>'\n"
    )
    assert problems == []
    assert plain(found) == {"a": 8, "b": 4, "c": {"d": 3, "e": 3}, "f": "<8>"}
    assert found(("params", "c")) == {"d": 3, "e": 3}


def test_a_structure_can_be_taken_whole_and_read_into() -> None:
    found, problems = parameters("a: {x: [1, {y: 2}]}\nb: ${params.a}\nc: ${params.b.x}\n")
    assert problems == []
    assert found(("params", "c")) == [1, {"y": 2}]
    assert found(("params", "b", "x")) == [1, {"y": 2}]
    with pytest.raises(UnknownName):
        found(("params", "b", "z"))


def test_a_literal_stays_literal() -> None:
    found, _ = parameters("a: $${x}\nb: ${params.a}\n")
    assert found(("params", "b")) == "${x}"
    assert plain(found) == {"a": "${x}", "b": "${x}"}


def test_a_chain_of_thousands_is_no_recursion() -> None:
    count = 5000
    lines = [f"p{index}: ${{params.p{index + 1} + 1}}" for index in range(count)]
    found, problems = parameters("\n".join([*lines, f"p{count}: 0"]))
    assert problems == []
    assert found(("params", "p0")) == count


@pytest.mark.parametrize(
    ("text", "circle"),
    [
        ("a: ${params.a}\n", "params.a -> params.a"),
        ("a: ${params.b}\nb: {c: '${params.a}'}\n", "params.a -> params.b -> params.b.c -> params.a"),
        ("a: [1, '${params.a}']\n", "params.a.1 -> params.a -> params.a.1"),
    ],
)
def test_circles_are_told_once_with_their_way(text: str, circle: str) -> None:
    _, problems = parameters(text)
    assert [(item.code, item.message.rsplit(": ", 1)[1]) for item in problems] == [("E023", circle)]


def test_one_broken_value_is_one_problem() -> None:
    _, problems = parameters("a: ${1 / 0}\nb: ${params.a}\nc: x${params.b}\nd: ${params.c}\n")
    assert [item.code for item in problems] == ["E021"]


def test_only_parameters_can_be_read() -> None:
    _, problems = parameters("a: ${matrix.x}\nb: ${params}\nc: ${params.a.b}\n")
    assert [item.code for item in problems] == ["E022", "E022"]
    assert problems[0].hint == "allowed: params.a, params.b, params.c"


def test_doubling_cannot_explode() -> None:
    lines = ["p0: [x]"] + [f"p{n}: ['${{params.p{n - 1}}}', '${{params.p{n - 1}}}']" for n in range(1, 60)]
    _, problems = parameters("\n".join(lines))
    assert [item.code for item in problems] == ["E009"]
    lines = ["p0: xx"] + [f"p{n}: '${{params.p{n - 1}}}${{params.p{n - 1}}}'" for n in range(1, 60)]
    _, problems = parameters("\n".join(lines))
    assert [item.code for item in problems] == ["E009"]


def test_nesting_by_reference_is_limited_like_nesting() -> None:
    lines = [f"p{n}: ['${{params.p{n + 1}}}']" for n in range(300)]
    found, problems = parameters("\n".join([*lines, "p300: 1"]))
    assert [item.code for item in problems] == ["E009"]
    assert found(("params", "p290"))


def test_settled_values_keep_their_place() -> None:
    found, _ = parameters("a: 1\nb: ${params.a}\n")
    assert (found.nodes()["b"].mark.line, found.nodes()["b"].mark.column) == (2, 4)
