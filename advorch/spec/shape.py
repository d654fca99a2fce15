"""Every key that a pipeline file may have, declared once: checks, overrides and the JSON Schema all read this."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from advorch.components import Kind
from advorch.errors import ErrorClass
from advorch.spec.codes import Code
from advorch.spec.kinds import (
    Choice,
    Computed,
    Condition,
    Constraint,
    Duration,
    Flag,
    Number,
    Settled,
    Size,
    Text,
    ValueKind,
    Version,
)

RESERVED = frozenset({"params", "matrix", "trial", "run", "env"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Free:
    """Values that this file format does not know; under `component` a plugin does, so new keys are its business."""

    component: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """A list of things of one kind; where `lone`, one of them may stand for a list of one."""

    item: Shape
    lone: bool = False
    least: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A map with known keys, and perhaps further ones of the user's choice that hold `rest`."""

    fields: Mapping[str, Shape] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    rest: Shape | None = None
    rest_name: Text | None = None
    least: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """A thing that may be written as a value, as a list or as a map."""

    value: ValueKind | None = None
    list: ListOf | None = None
    map: Section | str | None = None


Shape: TypeAlias = "ValueKind | Free | ListOf | Section | Either | str"  # a str names one of SECTIONS


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
GOAL = Choice(words=("maximize", "minimize"), settled=Settled.LATER)
REFERENCES = ListOf(item=REFERENCE, lone=True)

_BOUNDS = ListOf(item=LATER_NUMBER)
_WHOLE_BOUNDS = ListOf(item=LATER_WHOLE)
_VALUES = ListOf(item=Free(), least=1)

_EXECUTION: Mapping[str, Shape] = {
    "resources": "resources",
    "timeout": Duration(),
    "retry": "retry",
    "on_failure": Choice(words=("stop", "continue")),
}

SECTIONS: Mapping[str, Section] = MappingProxyType(
    {
        "pipeline": Section(
            fields={
                "version": Version(),
                "name": Text(),
                "seed": WHOLE,
                "include": ListOf(item=PLAIN, lone=True),
                "params": "params",
                "data": Section(rest="dataset", rest_name=NAME),
                "defaults": Section(fields=_EXECUTION),
                "profiles": Section(rest=Free(), rest_name=PARAMETER),
                "tracking": "tracking",
                "limits": Section(rest=AMOUNT, rest_name=PARAMETER),
                "env": ListOf(item=VARIABLE, lone=True),
                "address": RAY_ADDRESS,
                "dashboard": DASHBOARD,
                "storage": Text(),
                "deadline": Duration(),
                "stages": Section(rest="stage", rest_name=NAME, least=1),
            },
            required=("version", "stages"),
        ),
        "params": Section(rest=Free(), rest_name=PARAMETER),
        "dataset": Section(
            fields={"uses": DATASET, "with": Free(component=True), "splits": Section(rest=SPLIT, rest_name=PARAMETER)},
            required=("uses",),
        ),
        "resources": Section(fields={"cpus": AMOUNT, "gpus": AMOUNT, "memory": Size(), "workers": COUNT}),
        "retry": Section(
            fields={
                "max": WHOLE,
                "on": ListOf(item=Choice(words=tuple(item.value for item in ErrorClass)), lone=True),
                "delay": Duration(),
                "factor": Number(least=1),
                "longest": Duration(),
            }
        ),
        "tracking": Section(fields={"mlflow": Either(value=Flag(), map="mlflow")}),
        "mlflow": Section(
            fields={
                "enabled": Flag(),
                "experiment": Text(),
                "uri": Text(),
                "models": ListOf(item=NEED, lone=True),
                "log_samples": Flag(),
            }
        ),
        "stage": Section(
            fields={
                "uses": USES,
                "in": Section(rest=REFERENCES, rest_name=PARAMETER),
                "with": Free(component=True),
                "matrix": Section(
                    fields={"exclude": ListOf(item=Section(rest=Free(), rest_name=PARAMETER))},
                    rest=Either(value=Computed(what="a list"), list=_VALUES),
                    rest_name=PARAMETER,
                ),
                "when": Condition(),
                "needs": ListOf(item=NEED, lone=True),
                **_EXECUTION,
                "limits": Section(rest=Number(least=0, settled=Settled.LATER), rest_name=PARAMETER),
                "seed": LATER_WHOLE,
                "tune": "tune",
                "stages": Section(rest="stage", rest_name=NAME, least=1),
                "out": Section(rest=OUTPUT, rest_name=PARAMETER, least=1),
            }
        ),
        "tune": Section(
            fields={
                "space": Section(rest="dimension", rest_name=PARAMETER, least=1),
                "objective": Either(map="objective", list=ListOf(item="objective", least=1)),
                "constraints": ListOf(item=Constraint(), lone=True),
                "search": "search",
                "scheduler": "scheduler",
                "budget": "budget",
                "promote": "promote",
            },
            required=("space", "objective"),
        ),
        "dimension": Section(
            fields={
                "uniform": _BOUNDS,
                "loguniform": _BOUNDS,
                "quniform": _BOUNDS,
                "int": _WHOLE_BOUNDS,
                "logint": _WHOLE_BOUNDS,
                "normal": _BOUNDS,
                "choice": _VALUES,
                "grid": _VALUES,
                "const": Free(),
                "when": Condition(),
            }
        ),
        "objective": Section(fields={"metric": METRIC, "goal": GOAL}, required=("metric", "goal")),
        "search": Section(
            fields={
                "algorithm": Choice(words=("grid", "random", "tpe", "cma-es", "nsga-ii"), settled=Settled.LATER),
                "trials": LATER_COUNT,
                "concurrency": LATER_COUNT,
                "warmup": Number(whole=True, least=0, settled=Settled.LATER),
            }
        ),
        "scheduler": Section(
            fields={
                "type": Choice(words=("asha", "hyperband", "median", "pbt"), settled=Settled.NEVER),
                "metric": METRIC,
                "goal": GOAL,
                "time": PARAMETER,
                "max": LATER_COUNT,
                "grace": LATER_COUNT,
                "reduction": Number(above=1, settled=Settled.LATER),
                "interval": LATER_COUNT,
                "quantile": Number(above=0, most=0.5, settled=Settled.LATER),
                "resample": Number(least=0, most=1, settled=Settled.LATER),
            },
            required=("type", "time"),
        ),
        "budget": Section(
            fields={
                "trials": LATER_COUNT,
                "wall": Duration(settled=Settled.LATER),
                "gpu_hours": Number(above=0, settled=Settled.LATER),
            }
        ),
        "promote": Section(fields={"select": Choice(words=("best",), settled=Settled.LATER), "refit": "refit"}),
        "refit": Section(fields={"seeds": LATER_COUNT, "with": Section(rest=Free(), rest_name=SETTING)}),
    }
)

ROOT = SECTIONS["pipeline"]


def section(shape: Section | str) -> Section:
    """A section, by itself or by name."""
    return SECTIONS[shape] if isinstance(shape, str) else shape


def settle(shape: Shape) -> ValueKind | Free | ListOf | Section | Either:
    """A shape with its name looked up."""
    return SECTIONS[shape] if isinstance(shape, str) else shape


def is_private(key: str) -> bool:
    """Whether a key is the user's own, free for anchors."""
    return key.startswith("x-")
