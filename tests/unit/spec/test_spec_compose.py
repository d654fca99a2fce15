"""YAML text becomes nodes: values of YAML 1.2, exact marks, firm limits."""

import math

import pytest

from advorch.errors import Problem
from advorch.spec.compose import DEEPEST, MOST_NODES, compose, source_of
from advorch.spec.nodes import ListNode, MapNode, Node, Scalar


def read(text: str) -> tuple[Node | None, list[Problem]]:
    problems: list[Problem] = []
    return compose(text, source_of("file.yaml", text), problems), problems


def value(text: str) -> object:
    node, problems = read(f"key: {text}\n")
    assert problems == []
    assert isinstance(node, MapNode)
    found = node.get("key")
    assert isinstance(found, Scalar)
    return found.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3", 0.001), ("1E+2", 100.0), (".5", 0.5), ("1.", 1.0), ("-2.5e3", -2500.0), ("+1", 1), ("012", 12),
        ("0", 0), ("-0", 0), ("0x1F", 31), ("0o17", 15), (".inf", math.inf), ("-.INF", -math.inf), ("~", None),
        ("null", None), ("NULL", None), ("", None), ("true", True), ("FALSE", False), ("no", "no"), ("on", "on"),
        ("yes", "yes"), ("off", "off"), ("3:20", "3:20"), ("8/255", "8/255"), ("1_000", "1_000"), ("0b11", "0b11"),
        ("2026-11-20", "2026-11-20"), ("4GiB", "4GiB"), ("1e", "1e"), (".", "."), ("-", "-"), ("0x", "0x"),
        ("nan", "nan"),
        ("'012'", "012"), ('"true"', "true"), ('""', ""), ("!", None), ("<<", "<<"),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema(text: str, expected: object) -> None:
    if text in ("-", "!"):
        assert read(f"key: {text}\n")[1]
        return
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_nan_is_a_number() -> None:
    found = value(".nan")
    assert isinstance(found, float)
    assert math.isnan(found)


def test_words_of_yaml_1_1_are_keys_and_texts() -> None:
    node, problems = read("on: off\nno: yes\ny: n\n")
    assert problems == []
    assert isinstance(node, MapNode)
    assert {key: entry.node.value for key, entry in node.entries.items() if isinstance(entry.node, Scalar)} == {
        "on": "off", "no": "yes", "y": "n",
    }  # fmt: skip


def test_marks_count_from_one_in_characters() -> None:
    node, _ = read("ä: 'x'\nlist: [é, {b: 1.5}]\n")
    assert isinstance(node, MapNode)
    first, items = node.entries["ä"], node.get("list")
    assert (first.key.line, first.key.column, first.key.length) == (1, 1, 1)
    assert (first.node.mark.line, first.node.mark.column, first.node.mark.length) == (1, 4, 3)
    assert isinstance(items, ListNode)
    inner = items.items[1]
    assert (inner.mark.line, inner.mark.column) == (2, 11)
    assert isinstance(inner, MapNode)
    assert (inner.entries["b"].node.mark.column, inner.entries["b"].node.mark.length) == (15, 3)


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\u2028"])
def test_lines_are_cut_as_yaml_cuts_them(line_break: str) -> None:
    node, problems = read(line_break.join(["a: 1", "b: 2", ""]))
    assert problems == []
    assert isinstance(node, MapNode)
    assert node.entries["b"].key.line == 2
    assert node.entries["b"].key.place().text == "b: 2"


def test_text_keeps_what_was_written() -> None:
    node, _ = read("a: 1e-3\n")
    assert isinstance(node, MapNode)
    scalar = node.get("a")
    assert isinstance(scalar, Scalar)
    assert (scalar.value, scalar.text) == (0.001, "1e-3")


def test_aliases_share_the_node_of_their_anchor() -> None:
    node, problems = read("a: &x {b: [1]}\nc: *x\n")
    assert problems == []
    assert isinstance(node, MapNode)
    assert node.get("c") is node.get("a")


def test_merge_keys_lie_under_the_own_keys() -> None:
    node, problems = read("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {<<: [*x, *y], c: 3}\n")
    assert problems == []
    assert isinstance(node, MapNode)
    merged = node.get("z")
    assert isinstance(merged, MapNode)
    values = {key: entry.node.value for key, entry in merged.entries.items() if isinstance(entry.node, Scalar)}
    assert values == {"a": 1, "b": 1, "c": 3}


def test_a_quoted_merge_key_is_a_key() -> None:
    node, problems = read('"<<": 1\n')
    assert problems == []
    assert isinstance(node, MapNode)
    assert list(node.entries) == ["<<"]


def test_depth_is_limited_also_through_aliases() -> None:
    deep = "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)
    assert read(f"a: {deep}")[1] == []
    assert read(f"a: [{deep}]")[1][0].code == "E009"
    half = "[" * 40 + "]" * 40
    text = f"a: &a {half}\nb: {'[' * 30}*a{']' * 30}\n"
    _, problems = read(text)
    assert [(item.code, item.place.line) for item in problems if item.place] == [("E009", 2)]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_forty_thousand_brackets_are_an_error_and_no_crash(opening: str) -> None:
    node, problems = read(opening * 40_000)
    assert node is None
    assert [item.code for item in problems] == ["E009"]


def test_nodes_are_counted_with_aliases_expanded() -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 20):
        laughs += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n"
    node, problems = read(laughs)
    assert node is None
    assert [item.code for item in problems] == ["E009"]


def test_the_number_of_nodes_is_exact() -> None:
    fits = "[" + ",".join(["1"] * (MOST_NODES - 1)) + "]"
    assert read(fits)[1] == []
    assert read(fits[:-1] + ",1]")[1][0].code == "E009"


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\ud800", "\ufeff", "\uffff"])
def test_what_is_no_text_is_refused_at_its_place(character: str) -> None:
    node, problems = read(f"a: 1\nb: x{character}y\n")
    assert node is None
    assert [item.code for item in problems] == ["E008"]
    assert problems[0].place
    assert (problems[0].place.line, problems[0].place.column) == (2, 5)
    assert problems[0].place.text.isprintable()


def test_several_mistakes_are_told_at_once() -> None:
    _, problems = read("a: 1\na: 2\n3: x\nb: !t 1\nc: *d\ne: {f}\n")
    assert [item.code for item in problems] == ["E003", "E004", "E006", "E010", "E002"]


def test_a_very_long_line_is_shown_in_part() -> None:
    _, problems = read("a: [" + "1, " * 2000 + "!t x]\n")
    place = problems[0].place
    assert place
    assert place.column == 6005
    assert len(place.text) <= 160
    headline, snippet, caret, hint = problems[0].render().splitlines()
    assert snippet[caret.index("^")] == "!"
    assert headline.endswith("is not allowed")
    assert hint.startswith("  hint:")


def test_an_empty_text_is_no_document() -> None:
    assert read("") == (None, [])
    assert read("# only a comment\n") == (None, [])
