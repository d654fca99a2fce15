"""The codes of everything that can be wrong with a file before plugins are asked."""

from enum import StrEnum
from types import MappingProxyType

from advorch.errors import Problem
from advorch.spec.nodes import Mark

MOST_PROBLEMS = 100  # a file with more is another file, and suggestions are not free


class Code(StrEnum):
    """One kind of mistake each; `MEANING` has the sentence."""

    SYNTAX = "E001"
    QUOTE = "E002"
    DUPLICATE_KEY = "E003"
    KEY_TYPE = "E004"
    TAB = "E005"
    TAG = "E006"
    DOCUMENTS = "E007"
    ENCODING = "E008"
    TOO_LARGE = "E009"
    ALIAS = "E010"
    EMPTY = "E011"
    UNKNOWN_KEY = "E012"
    MISSING_KEY = "E013"
    TYPE = "E014"
    VALUE = "E015"
    NAME = "E016"
    REFERENCE = "E017"
    UNIT = "E018"
    CONFLICT = "E019"
    EXPRESSION = "E020"
    EVALUATION = "E021"
    UNKNOWN_NAME = "E022"
    PARAMS_CYCLE = "E023"
    MISPLACED = "E024"
    INCLUDE = "E030"
    INCLUDE_CYCLE = "E031"
    PROFILE = "E032"
    UNDECLARED = "E033"
    OVERRIDE = "E034"
    VERSION = "E035"
    SPACE = "E040"
    OBJECTIVE = "E041"
    SEARCH = "E042"


MEANING = MappingProxyType(
    {
        Code.SYNTAX: "the text is not valid YAML",
        Code.QUOTE: "a `${...}` or a bare word inside {...} or [...] needs quotes",
        Code.DUPLICATE_KEY: "a key stands twice in one map",
        Code.KEY_TYPE: "a key is not text",
        Code.TAB: "a tab where YAML wants spaces",
        Code.TAG: "a YAML tag (`!...`); files hold plain values only",
        Code.DOCUMENTS: "more than one YAML document in a file",
        Code.ENCODING: "the bytes are not plain UTF-8 text",
        Code.TOO_LARGE: "the file, its nesting, its number of values or one value is too large",
        Code.ALIAS: "an alias, anchor or `<<` merge that cannot be followed",
        Code.EMPTY: "nothing is in the file, or something else than a map",
        Code.UNKNOWN_KEY: "a key that does not exist there",
        Code.MISSING_KEY: "a key that must be given is missing",
        Code.TYPE: "a value of the wrong type",
        Code.VALUE: "a value that is not allowed",
        Code.NAME: "a name that is not allowed, or is taken",
        Code.REFERENCE: "a reference, component name or split that cannot be read",
        Code.UNIT: "a duration or size without a known unit",
        Code.CONFLICT: "keys that exclude or need each other",
        Code.EXPRESSION: "an expression that cannot be read",
        Code.EVALUATION: "an expression that has no value",
        Code.UNKNOWN_NAME: "an expression reads a name that is not there",
        Code.PARAMS_CYCLE: "parameters that are defined by each other",
        Code.MISPLACED: "an expression where none may stand, or one that reads what must not be read there",
        Code.INCLUDE: "an included file that cannot be read",
        Code.INCLUDE_CYCLE: "files that include each other",
        Code.PROFILE: "a profile that is not declared",
        Code.UNDECLARED: "a profile or `-S` sets a key that the file does not declare",
        Code.OVERRIDE: "an `-S` that cannot be read",
        Code.VERSION: "the version of the file format is missing or not known",
        Code.SPACE: "a search space that cannot be drawn from",
        Code.OBJECTIVE: "an objective without a metric or a goal",
        Code.SEARCH: "a search, scheduler, budget or promotion that cannot work",
    }
)


def problem(code: Code, message: str, mark: Mark | None, hint: str = "") -> Problem:
    """An error at a mark."""
    return Problem(code=code.value, message=message, place=mark.place() if mark else None, hint=hint)
