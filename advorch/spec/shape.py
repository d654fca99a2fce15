"""Every key that a pipeline file may have, declared once: checks, overrides and the JSON Schema all read this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from advorch.errors import ErrorClass
from advorch.spec import forms
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Free:
    """Values that this file format does not know; under `component` a plugin does, so new keys are its business."""

    component: bool = False
    environment: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """A list of things of one kind; where `lone`, one of them may stand for a list of one."""

    item: Shape
    lone: bool = False
    least: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A map with known keys, and perhaps further ones of the user's choice that hold `rest`.

    Profiles and `-S` may add such keys only where it is `extensible`.
    """

    fields: Mapping[str, Shape] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    rest: Shape | None = None
    rest_name: Text | None = None
    least: int = 0
    extensible: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """A thing that may be written as a value, as a list or as a map."""

    value: ValueKind | None = None
    list: ListOf | None = None
    map: Section | str | None = None


Shape: TypeAlias = ValueKind | Free | ListOf | Section | Either | str  # a str names one of SECTIONS


REFERENCES = ListOf(item=forms.REFERENCE, lone=True)

_BOUNDS = ListOf(item=forms.LATER_NUMBER)
_WHOLE_BOUNDS = ListOf(item=forms.LATER_WHOLE)
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
                "seed": forms.WHOLE,
                "include": ListOf(item=forms.PLAIN, lone=True),
                "params": "params",
                "data": Section(rest="dataset", rest_name=forms.NAME),
                "defaults": Section(fields=_EXECUTION),
                "profiles": Section(rest=Free(environment=True), rest_name=forms.PARAMETER),
                "tracking": "tracking",
                "limits": Section(rest=forms.AMOUNT, rest_name=forms.PARAMETER, extensible=True),
                "env": ListOf(item=forms.VARIABLE, lone=True),
                "address": forms.RAY_ADDRESS,
                "dashboard": forms.DASHBOARD,
                "storage": Text(),
                "deadline": Duration(),
                "stages": Section(rest="stage", rest_name=forms.NAME, least=1),
            },
            required=("version", "stages"),
        ),
        "params": Section(rest=Free(), rest_name=forms.PARAMETER),
        "dataset": Section(
            fields={
                "uses": forms.DATASET,
                "with": Free(component=True),
                "splits": Section(rest=forms.SPLIT, rest_name=forms.PARAMETER),
            },
            required=("uses",),
        ),
        "resources": Section(
            fields={
                "cpus": forms.AMOUNT,
                "gpus": forms.AMOUNT,
                "memory": Size(),
                "workers": forms.COUNT,
                "placement": Choice(words=("pack", "spread")),
            }
        ),
        "retry": Section(
            fields={
                "max": forms.WHOLE,
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
                "models": ListOf(item=forms.NEED, lone=True),
                "log_samples": Flag(),
            }
        ),
        "stage": Section(
            fields={
                "uses": forms.USES,
                "in": Section(rest=REFERENCES, rest_name=forms.PARAMETER),
                "with": Free(component=True),
                "matrix": Section(
                    fields={"exclude": ListOf(item=Section(rest=Free(), rest_name=forms.PARAMETER))},
                    rest=Either(value=Computed(what="a list"), list=_VALUES),
                    rest_name=forms.PARAMETER,
                ),
                "when": Condition(),
                "needs": ListOf(item=forms.NEED, lone=True),
                **_EXECUTION,
                "limits": Section(
                    rest=Number(least=0, settled=Settled.LATER), rest_name=forms.PARAMETER, extensible=True
                ),
                "seed": forms.LATER_WHOLE,
                "tune": "tune",
                "stages": Section(rest="stage", rest_name=forms.NAME, least=1),
                "out": Section(rest=forms.OUTPUT, rest_name=forms.PARAMETER, least=1),
            }
        ),
        "tune": Section(
            fields={
                "space": Section(rest="dimension", rest_name=forms.PARAMETER, least=1),
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
        "objective": Section(fields={"metric": forms.METRIC, "goal": forms.GOAL}, required=("metric", "goal")),
        "search": Section(
            fields={
                "algorithm": Choice(words=("grid", "random", "tpe", "cma-es", "nsga-ii"), settled=Settled.LATER),
                "trials": forms.LATER_COUNT,
                "concurrency": forms.LATER_COUNT,
                "warmup": Number(whole=True, least=0, settled=Settled.LATER),
            }
        ),
        "scheduler": Section(
            fields={
                "type": Choice(words=("asha", "hyperband", "median", "pbt"), settled=Settled.NEVER),
                "metric": forms.METRIC,
                "goal": forms.GOAL,
                "time": forms.PARAMETER,
                "max": forms.LATER_COUNT,
                "grace": forms.LATER_COUNT,
                "reduction": Number(above=1, settled=Settled.LATER),
                "interval": forms.LATER_COUNT,
                "quantile": Number(above=0, most=0.5, settled=Settled.LATER),
                "resample": Number(least=0, most=1, settled=Settled.LATER),
            },
            required=("type", "time"),
        ),
        "budget": Section(
            fields={
                "trials": forms.LATER_COUNT,
                "wall": Duration(settled=Settled.LATER),
                "gpu_hours": Number(above=0, settled=Settled.LATER),
            }
        ),
        "promote": Section(
            fields={
                "select": Either(
                    value=forms.SELECT,
                    map=Section(fields={"top_k": forms.LATER_COUNT}, required=("top_k",)),
                ),
                "refit": "refit",
            }
        ),
        "refit": Section(fields={"seeds": forms.LATER_COUNT, "with": Section(rest=Free(), rest_name=forms.SETTING)}),
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
