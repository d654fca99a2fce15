"""What the names in `${...}` stand for: parameters, a cell's axes, a trial's values, the run, and metrics."""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from advorch.canonical import Json
from advorch.errors import Problem
from advorch.plan.problems import Problems
from advorch.spec.expression import UnknownName
from advorch.spec.interpolate import fill
from advorch.spec.nodes import ListNode, Located, Node, Scalar
from advorch.spec.pipeline import PipelineSpec

Name = tuple[str, ...]
ReadMetric = Callable[[str, str], float]

NAMESPACES = ("params", "matrix", "run")


class Values:
    """The values of `params:`, which the spec has settled among themselves, and the facts of the run.

    Inside a sweep also what its trial has drawn, and the axes of the sweep's own cell.
    """

    def __init__(self, spec: PipelineSpec) -> None:
        self.params = {name: plain(node) for name, node in spec.params.items()}
        self._run = {"name": spec.name, "seed": spec.seed}
        self.stages = tuple(spec.stages)
        self.axes: Mapping[str, Json] = {}
        self.trial: Mapping[str, Json] | None = None

    def inside(self, axes: Mapping[str, Json], trial: Mapping[str, Json] | None, stages: Iterable[str]) -> "Values":
        """The same, seen from the inner stages of a sweep."""
        values = copy.copy(self)
        values.axes = {**self.axes, **axes}
        values.trial = None if trial is None and self.trial is None else {**(self.trial or {}), **(trial or {})}
        values.stages = tuple(dict.fromkeys([*self.stages, *stages]))
        return values

    def param(self, name: str, rest: Name) -> object:
        """A parameter, or something inside it."""
        if name not in self.params:
            raise UnknownName(f"params.{name}", [f"params.{known}" for known in self.params])
        return inside(self.params[name], rest, f"params.{name}")

    def run(self, name: str) -> object:
        """A fact of the run that is the same whenever and wherever it runs."""
        if name not in self._run:
            raise UnknownName(f"run.{name}", [f"run.{known}" for known in self._run])
        return self._run[name]


@dataclass(frozen=True, slots=True)
class Scope:
    """The lookup of one cell; without `read_metric` a metric is not known yet."""

    values: Values
    axes: Mapping[str, object] = field(default_factory=dict)
    read_metric: ReadMetric | None = None

    def __call__(self, name: Name) -> object:
        space, *rest = name
        if space == "params" and rest:
            return self.values.param(rest[0], tuple(rest[1:]))
        if space == "matrix" and rest:
            return self._axis(rest[0], tuple(rest[1:]))
        if space == "run" and len(rest) == 1:
            return self.values.run(rest[0])
        if space == "trial" and rest and self.values.trial is not None:
            return _drawn(self.values.trial, rest[0], tuple(rest[1:]))
        if self.read_metric and rest and space in self.values.stages:
            return self.read_metric(space, ".".join(rest))
        raise UnknownName(".".join(name), [*NAMESPACES, *(self.values.stages if self.read_metric else ())])

    def _axis(self, name: str, rest: Name) -> object:
        axes = {**self.values.axes, **self.axes}
        if name not in axes:
            raise UnknownName(f"matrix.{name}", [f"matrix.{axis}" for axis in axes])
        return inside(axes[name], rest, f"matrix.{name}")


def _drawn(trial: Mapping[str, Json], name: str, rest: Name) -> object:
    """A value of the trial; a dimension whose `when` is false has none."""
    if name not in trial:
        raise UnknownName(f"trial.{name}", [f"trial.{known}" for known in trial])
    return inside(trial[name], rest, f"trial.{name}")


def inside(value: object, rest: Name, name: str) -> object:
    """What lies below a value, key by key."""
    for step in rest:
        keys = list(value) if isinstance(value, Mapping) else []
        if step not in keys:
            raise UnknownName(f"{name}.{step}", [f"{name}.{key}" for key in keys])
        value, name = value[step], f"{name}.{step}"  # type: ignore[index]  # it has keys, so it is a mapping
    return value


def plain(node: Node) -> Json:
    """A node without expressions as a plain value; a `$${` that was settled is not looked at again."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return {key: plain(entry.node) for key, entry in node.entries.items()}


def read(node: Node, scope: Scope, problems: Problems) -> Located | None:
    """A node with every `${...}` filled in; None where something was wrong, which is then among the problems."""
    found: list[Problem] = []
    filled = fill(node, scope, found)
    problems.extend(found)
    return None if found else filled
