"""What libyaml complains of, in words that help."""

import re

import yaml

from advorch.errors import Problem
from advorch.spec.codes import Code, problem
from advorch.spec.nodes import Mark, Source

_HINTS = {
    "mapping values are not allowed in this context": "quote a text that holds ': ', or check the indentation",
    "could not find expected ':'": "write `key: value`, with a space behind the colon",
    "did not find expected key": "check the indentation, and that each line is `key: value`",
    "did not find expected '-' indicator": "check the indentation of the list",
    "did not find expected node content": "a value is missing, or a bracket is never closed",
    "found unknown escape character": "use single quotes for a text with backslashes",
    "found unexpected end of stream": "close the quote",
    "found undefined tag handle": "tags are not allowed; quote the text",
    "block sequence entries are not allowed in this context": "begin the list on a line of its own",
    "found unexpected document indicator": "close the quote",
}
_WORD_START = re.compile(r"[^\s,\[\]{}\"']*\Z")
_WORD_REST = re.compile(r"[{\[][^}\]\n]*[}\]]?[^\s,\[\]{}]*")


def explain(error: yaml.YAMLError, source: Source) -> Problem:
    """A syntax error as a problem at its place."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return problem(Code.SYNTAX, f"not valid YAML: {str(error).splitlines()[0]}", Mark(source, 1, 1, 1))
    place = Mark(source, mark.line + 1, mark.column + 1, 1)
    text = str(getattr(error, "problem", ""))
    if text.startswith("did not find expected ','"):
        return _in_brackets(place, _mark(error, source) or place, text)
    if "tab" in text or _character(place) == "\t":
        return problem(Code.TAB, "a tab where YAML wants spaces", place, "indent with spaces")
    if text == "found character that cannot start any token":
        character = _character(place)
        return problem(Code.SYNTAX, f"a value cannot begin with '{character}'", place, "quote the value")
    return problem(Code.SYNTAX, _sentence(error, text), _start_of_open_quote(error, text, source) or place, _hint(text))


def _mark(error: yaml.YAMLError, source: Source) -> Mark | None:
    mark = getattr(error, "context_mark", None)
    return Mark(source, mark.line + 1, mark.column + 1, 1) if mark else None


def _character(place: Mark) -> str:
    lines = place.source.lines
    return lines[place.line - 1][place.column - 1 : place.column] if place.line <= len(lines) else ""


def _sentence(error: yaml.YAMLError, text: str) -> str:
    context = getattr(error, "context", None)
    return f"not valid YAML: {text} {context}" if context else f"not valid YAML: {text}"


def _hint(text: str) -> str:
    return next((hint for start, hint in _HINTS.items() if text.startswith(start)), "")


def _start_of_open_quote(error: yaml.YAMLError, text: str, source: Source) -> Mark | None:
    unfinished = ("found unexpected end of stream", "found unexpected document indicator")
    return _mark(error, source) if text.startswith(unfinished) else None


def _in_brackets(place: Mark, opened: Mark, text: str) -> Problem:
    """A broken {...} or [...]: mostly an unquoted `${...}`, or a bracket that is never closed."""
    lines = place.source.lines
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    before = _WORD_START.search(line[: place.column - 1])
    word = before.group() if before else ""
    if _character(place) in ("{", "[") and word:
        return _unquoted(place, line, word)
    bracket = _character(opened)
    if not "".join((line[place.column - 1 :], *lines[place.line :])).strip():
        closing = {"{": "}", "[": "]"}.get(bracket, "the closing bracket")
        return problem(Code.SYNTAX, f"'{bracket}' is never closed", opened, f"close it with {closing}")
    expected = text.removeprefix("did not find expected ")
    message = (
        f"expected {expected} inside the {bracket}...{'}' if bracket == '{' else ']'} that begins at line {opened.line}"
    )
    return problem(Code.SYNTAX, message, place, "separate the items with commas, and quote texts that hold brackets")


def _unquoted(place: Mark, line: str, word: str) -> Problem:
    start = place.column - len(word)
    rest = _WORD_REST.match(line, place.column - 1)
    whole = (word + (rest.group() if rest else "")).rstrip(":")
    what = "'${...}'" if word.endswith("$") else f"'{whole[:60]}'"
    mark = Mark(place.source, place.line, start, len(whole))
    return problem(Code.QUOTE, f"{what} inside brackets needs quotes", mark, f'quote it: "{whole}"')
