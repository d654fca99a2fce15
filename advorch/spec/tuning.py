"""A search with nothing left open: what a sweep is run from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from advorch.errors import InvalidPipeline, Problem
from advorch.spec.codes import Code, problem
from advorch.spec.expression import Expression, Lookup
from advorch.spec.forms import LATER_COUNT, SELECT
from advorch.spec.interpolate import condition, fill
from advorch.spec.nodes import ListNode, MapNode, Node, Scalar
from advorch.spec.operators import rational
from advorch.spec.pipeline import TuneSpec
from advorch.spec.reader import Reader, read
from advorch.spec.rules import entries, given
from advorch.spec.shape import SECTIONS
from advorch.spec.space import ARGUMENTS, distributions, fault

Goal = Literal["maximize", "minimize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One thing that is searched; `values` are the arguments of its distribution, or what it chooses from."""

    name: str
    kind: str
    values: tuple[Any, ...]
    when: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A metric of an inner stage, and which way is better."""

    metric: str
    goal: Goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How the next trial is chosen; without `concurrency` as many run at a time as there is room for."""

    algorithm: str = "tpe"
    concurrency: int = 0
    warmup: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """When a trial is stopped early; without a metric it looks at the objective."""

    type: str
    time: str
    metric: str = ""
    goal: Goal | None = None
    max: int | None = None
    grace: int = 1
    reduction: float = 3
    interval: int = 1
    quantile: float = 0.25
    resample: float = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the whole search may spend, in trials, seconds and hours of one GPU."""

    trials: int | None = None
    wall: float | None = None
    gpu_hours: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refit:
    """The winner once more: how many seeds, and with which parameters changed."""

    seeds: int = 1
    with_: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """A whole search."""

    space: tuple[Dimension, ...]
    objectives: tuple[Objective, ...]
    constraints: tuple[Expression, ...] = ()
    search: Search = Search()
    scheduler: Scheduler | None = None
    budget: Budget = Budget()
    select: str = "best"
    winners: int = 1
    refit: Refit | None = None


def read_tuning(spec: TuneSpec, lookup: Lookup) -> Tuning:
    """The search with every `${...}` answered; raises InvalidPipeline with what an answer makes impossible."""
    problems: list[Problem] = []
    space = [_dimension(name, node, lookup, problems) for name, node in spec.space.items()]
    if problems:
        raise InvalidPipeline(problems)
    promote = Reader(spec.promote, SECTIONS["promote"], lookup)
    return Tuning(
        space=tuple(item for item in space if item is not None),
        objectives=tuple(_objective(node, lookup) for node in spec.objectives),
        constraints=tuple(condition(item) for item in spec.constraints),
        search=_search(spec, lookup),
        scheduler=_scheduler(spec, lookup),
        budget=_budget(spec, lookup),
        **_selection(spec.promote, lookup),
        refit=_refit(promote, lookup),
    )


def _selection(promote: MapNode | None, lookup: Lookup) -> dict[str, Any]:
    """Which trials win: the best, so many of the best, or all that no other beats in everything."""
    node = given(promote, "select") if promote else None
    if isinstance(node, MapNode):
        count = given(node, "top_k")
        return {"select": "top_k", "winners": read(count, LATER_COUNT, lookup)} if count else {}
    return {"select": read(node, SELECT, lookup)} if node else {}


def _dimension(name: str, node: Node, lookup: Lookup, problems: list[Problem]) -> Dimension | None:
    if not isinstance(node, MapNode) or not (named := distributions(node)):
        return None
    kind, inside = named[0], node.entries[named[0]].node
    before = len(problems)
    value = fill(inside, lookup, problems).value
    if len(problems) > before:
        return None
    values: list[Any] = [value] if kind == "const" else list(value) if isinstance(value, list | tuple) else [value]
    if kind in ARGUMENTS:
        values = [_number(item) for item in values]
        message, index = fault(kind, values)
        if message:
            place = inside.items[index] if isinstance(inside, ListNode) and index < len(inside.items) else inside
            problems.append(problem(Code.SPACE, f"'{name}': {message}", place.mark))
    return Dimension(name=name, kind=kind, values=tuple(values), when=_when(node.get("when")))


def _when(node: Node | None) -> Expression | None:
    """The condition of a dimension; `true` is none, `false` one that never holds."""
    if not isinstance(node, Scalar) or node.value is None or node.value is True:
        return None
    return condition(node)


def _number(value: object) -> Any:
    return rational(value) if isinstance(value, str) else value


def _objective(node: MapNode, lookup: Lookup) -> Objective:
    reader = Reader(node, SECTIONS["objective"], lookup)
    return Objective(metric=reader.get("metric"), goal=reader.get("goal"))


def _search(spec: TuneSpec, lookup: Lookup) -> Search:
    return Search(**_given(Reader(spec.search, SECTIONS["search"], lookup), "algorithm", "concurrency", "warmup"))


def _scheduler(spec: TuneSpec, lookup: Lookup) -> Scheduler | None:
    if spec.scheduler is None:
        return None
    section = SECTIONS["scheduler"]
    return Scheduler(**_given(Reader(spec.scheduler, section, lookup), *section.fields))


def _budget(spec: TuneSpec, lookup: Lookup) -> Budget:
    section = SECTIONS["budget"]
    given = _given(Reader(spec.budget, section, lookup), *section.fields)
    trials = Reader(spec.search, SECTIONS["search"], lookup).get("trials")
    both = [count for count in (trials, given.get("trials")) if count is not None]
    return Budget(**(given | ({"trials": min(both)} if both else {})))


def _refit(promote: Reader, lookup: Lookup) -> Refit | None:
    reader = promote.section("refit")
    if reader.node is None:
        return None
    problems: list[Problem] = []
    settings: dict[str, Any] = {}
    for key, entry in entries(reader.node.get("with")):
        settings[key] = fill(entry.node, lookup, problems).value
    if problems:
        raise InvalidPipeline(problems)
    return Refit(seeds=reader.get("seeds", 1), with_=settings)


def _given(reader: Reader, *keys: str) -> dict[str, Any]:
    """What a section has; the rest is left to the defaults."""
    values = {key: reader.get(key) for key in keys}
    return {key: value for key, value in values.items() if value is not None}
