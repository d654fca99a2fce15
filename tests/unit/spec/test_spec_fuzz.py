"""Whatever is thrown at it, the loader answers with InvalidPipeline and the language with ExpressionError."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from advorch.errors import InvalidPipeline, Problem
from advorch.spec.compose import compose, source_of
from advorch.spec.expression import ExpressionError, parse
from advorch.spec.load import load_pipeline
from advorch.spec.nodes import Mark, walk

BOUNDED = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
DESIGN = (Path(__file__).parent / "fixtures" / "design.yaml").read_text().replace("include: [common.yaml]", "")

bits = st.sampled_from([
    "a", "b", ": ", ":\n", "\n", "  ", "- ", "? ", "{", "}", "[", "]", ", ", "&x ", "*x", "<<: ", "!t ", "'", '"',
    "|\n",
    ">-\n", "#c\n", "---\n", "...\n", "\t", "${", "}", "params.a", "1e-3", "~", "\u2028", "é", "\\", "%YAML 1.2\n",
    "@", "x-y",
])  # fmt: skip
yaml_like = st.lists(bits, max_size=40).map("".join)
words = st.sampled_from([
    "1", "2.5", "1e400", "a", "params.x", "lambda", "a-b", "'s'", "'", "(", ")", "+", "-", "*", "**", "/", "//", "%",
    "<", "==",
    "!=", " and ", " or ", " not ", " if ", " else ", "min(", "sqrt(", "len(", "round(", ",", ".", "true", "null",
    " ", "[", "=",
])  # fmt: skip
expression_like = st.lists(words, max_size=25).map("".join)


def check(problems: list[Problem]) -> None:
    for problem in problems:
        assert problem.place
        assert problem.place.line >= 1
        assert problem.place.column >= 1
        assert problem.render().startswith(f"error[{problem.code}]")


def problems_of(text: str, *overrides: str) -> list[Problem]:
    """What is wrong; an error without a problem would leave the user with nothing."""
    try:
        load_pipeline(Path("f.yaml"), text=text, overrides=overrides, environ={})
    except InvalidPipeline as error:
        return error.problems or pytest.fail("refused without a problem")
    return []


@BOUNDED
@given(st.one_of(yaml_like, st.text(max_size=60)))
@example("{a: ${b}}")
@example("a: &x [*x]")
@example("? {a: 1}\n: 2")
@example('"\\ud800": 1')
@example("a: '${\n\n}'")
def test_composing_never_fails(text: str) -> None:
    problems: list[Problem] = []
    node = compose(text, source_of("f.yaml", text), problems)
    check(problems)
    if node is not None:
        lines = source_of("f.yaml", text).lines
        for _, inner in walk(node):
            assert 1 <= inner.mark.line <= len(lines) + 1  # libyaml ends a file on the line behind it
            assert inner.mark.place().text is not None


@BOUNDED
@given(st.one_of(yaml_like, st.text(max_size=60)))
def test_loading_answers_with_problems(text: str) -> None:
    with pytest.raises(InvalidPipeline) as caught:
        load_pipeline(Path("f.yaml"), text=text, environ={})
    assert caught.value.problems
    check(caught.value.problems)


@BOUNDED
@given(st.data())
def test_a_damaged_file_loads_or_is_refused(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(DESIGN)))
    end = data.draw(st.integers(start, min(len(DESIGN), start + 60)))
    text = DESIGN[:start] + data.draw(yaml_like) + DESIGN[end:]
    check(problems_of(text))


@BOUNDED
@given(
    st.one_of(yaml_like, st.text(max_size=40)),
    st.sampled_from(["", "epsilon=", "plain.with=", "plain.", "robust.tune="]),
)
def test_overrides_load_or_are_refused(text: str, start: str) -> None:
    check(problems_of(DESIGN, start + text))


@settings(BOUNDED, max_examples=300)
@given(st.one_of(expression_like, st.text(max_size=30)))
def test_expressions_have_a_value_or_an_error_with_a_place(text: str) -> None:
    mark = Mark(source_of("f.yaml", text), 1, 1, 1)
    error: ExpressionError | None = None
    try:
        parse(text, mark).evaluate(len)
    except ExpressionError as raised:
        error = raised
    if error is not None:
        assert 0 <= error.offset <= len(text)
        check([error.problem()])
