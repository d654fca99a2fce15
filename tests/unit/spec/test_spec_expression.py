"""The expression language: meaning, exact errors, and no way to hurt."""

import math
from collections.abc import Mapping

import pytest

from advorch.spec.compose import source_of
from advorch.spec.expression import Expression, ExpressionError, Path, UnknownName, parse
from advorch.spec.nodes import Mark

VALUES: Mapping[Path, object] = {
    ("params", "epsilon"): 0.3,
    ("params", "steps"): 10,
    ("params", "ratio"): "8/255",
    ("params", "quick"): True,
    ("params", "name"): "pgd",
    ("params", "sizes"): [3, 1, 2],
    ("params", "clean-floor"): 0.9,
    ("trial", "lambda"): 2.0,
    ("probe", "accuracy"): math.nan,
}


def lookup(name: Path) -> object:
    if name not in VALUES:
        raise UnknownName(name, [".".join(known) for known in VALUES])
    return VALUES[name]


def expression(text: str) -> Expression:
    source = source_of("file.yaml", f"key: ${{{text}}}")
    return parse(text, Mark(source, 1, 8, len(text)))


def evaluate(text: str) -> object:
    return expression(text).evaluate(lookup)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("7 // 2", 3), ("7 % 4", 3), ("7 / 2", 3.5), ("2 ** 3 ** 2", 512),
        ("-2 ** 2", -4), ("2 ** -1", 0.5), ("--1", 1), ("5-3", 2), ("10 - 2 - 3", 5), ("1e-3", 0.001), (".5", 0.5),
        ("8/255", 8 / 255), ("params.epsilon / 4", 0.075), ("params.ratio * 2", 16 / 255), ("trial.lambda", 2.0),
        ("params.clean-floor", 0.9), ("params.steps - 1", 9), ("min(3, 1, 2)", 1), ("max(params.sizes)", 3),
        ("round(2.567, 1)", 2.6), ("round(2.5)", 2), ("abs(-3)", 3), ("len('abc')", 3), ("len(params.sizes)", 3),
        ("log10(1000)", 3.0), ("sqrt(9)", 3.0), ("'a}b'", "a}b"), ('"it\'s"', "it's"), ("null", None), ("true", True),
        ("1 if params.quick else 2", 1), ("1 if false else 2 if false else 3", 3), ("1 < 2 < 3", True),
        ("1 < 3 < 2", False), ("1 == 1.0", True), ("true == 1", False), ("'a' == 'a'", True), ("1 == 'a'", False),
        ("null == null", True), ("1 != 2", True), ("'a' < 'b'", True), ("params.name == 'pgd'", True),
        ("params.ratio == 8/255", True), ("params.ratio < 1", True), ("not true or true", True),
        ("true or 1 / 0 > 1", True), ("false and 1 / 0 > 1", False), ("not 1 > 2 and 2 > 1", True),
        ("1 if true else 1 / 0", 1), ("probe.accuracy > 0", False), ("probe.accuracy == probe.accuracy", False),
        ("min(params.epsilon, 1)", 0.3), ("  1  ", 1), ("2 ** 1000 // 2 ** 999", 2),
    ],
)  # fmt: skip
def test_values(text: str, expected: object) -> None:
    found = evaluate(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("", 0, "empty"), ("1 +", 2, "ends too early"), ("1 2", 2, "operator is missing"), ("(1", 0, "never closed"),
        ("1)", 1, "unexpected ')'"), ("a.", 2, "must follow the dot"), ("a.1", 1, "operator is missing"),
        ("a[0]", 1, "unexpected '['"),
        ("a = 1", 2, "unexpected '='"), ("f(1)", 0, "no function 'f'"), ("'x", 0, "unexpected"),
        ("a; b", 1, "unexpected"),
        ("1 if 2", 2, "without `else`"), ("2x", 1, "without an operator"), ("* 2", 0, "expected a value"),
        ("lambda: 1", 6, "unexpected ':'"), ("a if b else", 10, "ends too early"), ("min(1,", 5, "ends too early"),
        ("None", 0, "unknown word"), ("__import__('os')", 0, "no function"), ("x.y(1)", 3, "unexpected '('"),
        ("params.epsilon-1 2", 17, "operator is missing"), ("ä", 0, "unexpected"),
    ],
)  # fmt: skip
def test_syntax_errors_point_at_the_spot(text: str, offset: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        expression(text)
    assert message in caught.value.message
    place = caught.value.problem().place
    assert place
    assert (caught.value.offset, place.column) == (offset, 8 + offset)
    assert caught.value.code == "E020"


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("1 / 0", 2, "division by zero"), ("1 + 5 % 0", 6, "division by zero"), ("0 ** -1", 2, "division by zero"),
        ("1 + 'a'", 2, "'+' needs a number, not the text 'a'"), ("'a' + 'b'", 4, "'+' needs numbers"),
        ("'ab' * 3", 5, "needs a number"), ("true + 1", 5, "not true"), ("null < 1", 5, "not null"),
        ("sqrt(-1)", 0, "negative number"), ("log10(0)", 0, "above 0"), ("(-8) ** 0.5", 5, "root of a negative"),
        ("2 ** 9999", 2, "exponent beyond"), ("10 ** 1000", 3, "too large"), ("1e308 * 10", 6, "too large"),
        ("2.0 ** 1024", 4, "too large"), ("1 if 1 else 2", 5, "true or false"), ("not 'a'", 0, "true or false"),
        ("1 and true", 0, "true or false"), ("len(3)", 0, "len needs"), ("min()", 0, "argument"),
        ("abs(1, 2)", 0, "argument"),
        ("min('a')", 0, "number"), ("round(1, 2.5)", 0, "digits"), ("round(probe.accuracy)", 0, "finite"),
        ("params.sizes + 1", 13, "a list"), ("1 < 2 < 'a'", 6, "not the text"),
        ("sqrt((2 ** 1023 - 1) * 2 + 1)", 0, "too large"),
    ],
)  # fmt: skip
def test_values_that_do_not_exist(text: str, offset: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(text)
    assert message in caught.value.message
    assert caught.value.offset == offset
    assert caught.value.code == "E021"


def test_unknown_names_say_what_was_meant() -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate("1 + params.epsilom")
    problem = caught.value.problem()
    assert problem.code == "E022"
    assert problem.place
    assert (problem.place.column, problem.place.length) == (12, len("params.epsilom"))
    assert problem.hint.startswith("did you mean 'params.epsilon'? allowed: params.epsilon, ")


def test_a_hyphen_in_an_unknown_name_may_have_been_a_minus() -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate("params.steps-params.epsilon")
    assert "minus needs a space on both sides" in caught.value.hint


def test_names_are_known_without_a_value() -> None:
    found = expression("params.a + (b.c-d if not x else min(y, 2)) == 'z.z'")
    assert found.names == {("params", "a"), ("b", "c-d"), ("x",), ("y",)}
    assert expression("a.if").names == {("a", "if")}
    assert next((name, mark.column) for name, mark in found.marks()) == (("params", "a"), 8)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 30 + "1" + ")" * 30,
        "-" * 100 + "1",
        "not " * 100 + "true",
        "1" + " + 1" * 100,
        "1" + " ** 1" * 100,
        "1 if true else " * 60 + "1",
        "a" * 1001,
        "9" * 50,
        "min(" * 40 + "1" + ")" * 40,
    ],
)
def test_size_is_limited(text: str) -> None:
    with pytest.raises(ExpressionError):
        expression(text)


def test_numbers_cannot_grow_without_bound() -> None:
    with pytest.raises(ExpressionError, match="too large"):
        evaluate("2 ** 1000 * 2 ** 1000")


def test_an_error_survives_a_process_border() -> None:
    import pickle

    with pytest.raises(ExpressionError) as caught:
        evaluate("1 / 0")
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.problem() == caught.value.problem()
    assert again.exit_code == 3
