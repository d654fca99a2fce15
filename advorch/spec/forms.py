"""The forms of the single values in a pipeline file: names, references, addresses, counts."""

import re

from advorch.components import Kind
from advorch.spec.codes import Code
from advorch.spec.kinds import Choice, Number, Settled, Text

RESERVED = frozenset({"params", "matrix", "trial", "run", "env"})


def _text(what: str, pattern: str, hint: str = "", code: Code = Code.REFERENCE) -> Text:
    return Text(what=what, pattern=re.compile(pattern, re.ASCII), hint=hint, code=code, settled=Settled.LATER)


NAME = Text(
    what="a name of small letters, digits, - and _, beginning with a letter",
    pattern=re.compile(r"[a-z][a-z0-9_-]*", re.ASCII),
    code=Code.NAME,
    settled=Settled.NEVER,
)
PARAMETER = Text(
    what="a name of letters, digits, - and _, not beginning with a digit or -",
    pattern=re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII),
    code=Code.NAME,
    settled=Settled.NEVER,
)
PLAIN = Text(settled=Settled.NEVER)
VARIABLE = Text(
    what="the name of an environment variable",
    pattern=re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII),
    code=Code.NAME,
    settled=Settled.NEVER,
)
_KINDS = "|".join(kind.value for kind in Kind)
USES = _text(
    "a component such as attack/pgd",
    rf"({_KINDS})/[A-Za-z0-9_][A-Za-z0-9_.-]*",
    f"write kind/name; kinds: {', '.join(kind.value for kind in Kind)}",
)
DATASET = _text("the name of a dataset such as mnist", r"[A-Za-z0-9_][A-Za-z0-9_.-]*", "write the bare name")
SPLIT = _text(
    "a split such as train, train[:55000] or test[10:20]",
    r"[A-Za-z_][A-Za-z0-9_-]*(\[(-?\d{1,15})?:(-?\d{1,15})?\])?",
    "write split or split[start:stop]",
)
_CELL = r"[a-z][a-z0-9_-]*(\[(\*|[^\[\]=,*]+=[^\[\],]+)(,(\*|[^\[\]=,*]+=[^\[\],]+))*\])?"
REFERENCE = _text(
    "a reference",
    rf"{_CELL}\.[A-Za-z0-9_][A-Za-z0-9_-]*",
    "write stage.output, dataset.split, stage[axis=value].output or stage[*].output",
)
NEED = _text("a stage", _CELL, "write the name of a stage, stage[axis=value] or stage[*]")
OUTPUT = _text("an output of an inner stage", r"[a-z][a-z0-9_-]*\.[A-Za-z0-9_][A-Za-z0-9_-]*", "write stage.output")
METRIC = Text(
    what="a metric such as probe.robust_accuracy",
    pattern=re.compile(r"([a-z][a-z0-9_-]*\.)?[A-Za-z_][A-Za-z0-9_./-]*", re.ASCII),
    code=Code.OBJECTIVE,
    settled=Settled.NEVER,
)
SETTING = Text(
    what="a parameter such as train.epochs",
    pattern=re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*", re.ASCII),
    code=Code.NAME,
    settled=Settled.NEVER,
)
RAY_ADDRESS = Text(
    what="the address of a Ray cluster such as head:6379",
    pattern=re.compile(r"(?!https?://).+"),
    hint="a http:// address belongs to dashboard:",
)
DASHBOARD = Text(
    what="the address of a Ray dashboard such as http://head:8265",
    pattern=re.compile(r"https?://.+"),
    hint="it begins with http:// or https://; the address of the cluster itself belongs to address:",
)

COUNT = Number(whole=True, least=1)
WHOLE = Number(whole=True, least=0)
AMOUNT = Number(least=0)
LATER_NUMBER = Number(settled=Settled.LATER)
LATER_WHOLE = Number(whole=True, settled=Settled.LATER)
LATER_COUNT = Number(whole=True, least=1, settled=Settled.LATER)
SELECT = Choice(words=("best", "pareto"), settled=Settled.LATER)
GOAL = Choice(words=("maximize", "minimize"), settled=Settled.LATER)
