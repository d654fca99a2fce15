"""The key of a sweep: its search, what its trials compute, and for its result also how long it searches.

Trials are named by the values that they draw, which nobody knows yet: so the key has the stages with one sample of
values, and the expressions as they are written beside what those read.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from advorch.canonical import Json, digest
from advorch.plan.cells import Bound, PortSource
from advorch.plan.content_check import ContentCheck
from advorch.plan.keys import Surroundings, action_key, content_digest, key_parts
from advorch.plan.metrics import Done, read_from
from advorch.plan.problems import Problems
from advorch.plan.scope import inside, plain
from advorch.plan.sweep import Sweep, SweepWork
from advorch.plan.work import Work
from advorch.seeds import cell_seed
from advorch.spec.expression import UnknownName
from advorch.spec.interpolate import names
from advorch.spec.nodes import MapNode, Node
from advorch.spec.pipeline import PipelineSpec, TuneSpec

SCHEMA = "advorch-sweep/1"

_LENGTH = ("trials", "wall", "gpu_hours")
_OF_RESULT = frozenset({"budget", "promote", "results", "pin"})


def search_parts(
    spec: PipelineSpec, work: Work, inputs: Mapping[str, tuple[Bound, ...]], done: Done, around: Surroundings,
    contents: ContentCheck,
) -> dict[str, Json]:  # fmt: skip
    """What decides which trials there are and what becomes of them, however many."""
    sweep = work.cell.component
    if not isinstance(sweep, Sweep) or work.sweep is None:
        raise TypeError(f"{work.cell.address} is no sweep")
    return {
        "schema": SCHEMA,
        "component": sweep.id,
        "search": _search(sweep),
        "stages": {address: _stage(spec, inner, around, contents) for address, inner in work.sweep.sample.items()},
        "corners": [_corner(spec, works, around, contents) for works in work.sweep.corners],
        "reads": _reads([*_searched(work.tune), *_nodes(work.sweep)], sweep, done),
        "inputs": {port: [content_digest(bound) for bound in inputs[port]] for port in sorted(inputs)},
        "seed": cell_seed(spec.seed, sweep.id, work.cell.seed),
        "runtime": around.runtime,
    }


def result_parts(search: Mapping[str, Json], sweep: Sweep, tune: TuneSpec, pin: int | None = None) -> dict[str, Json]:
    """What decides the result: the search, its length, and what is made of its winner, or of the trial that is pinned.

    What a search is known by is left of it without these: see `search_key`.
    """
    budget = sweep.tuning.budget
    length: dict[str, Json] = {name: getattr(budget, name) for name in _LENGTH}
    promote: Json = {
        "select": sweep.tuning.select,
        "winners": sweep.tuning.winners,
        "refit": sweep.tuning.refit.seeds if sweep.tuning.refit else 0,
        "with": sweep.tuning.refit.with_ if sweep.tuning.refit else {},
        "written": plain(tune.promote) if tune.promote else {},
    }
    results: dict[str, Json] = {port: list(source) for port, source in sorted(sweep.results.items())}
    chosen: dict[str, Json] = {} if pin is None else {"pin": pin}
    return {**search, "budget": length, "promote": promote, "results": results, **chosen}


def search_key(parts: Mapping[str, Json]) -> str:
    """The key of the search that the result with these parts came from."""
    return action_key({name: part for name, part in parts.items() if name not in _OF_RESULT})


def _search(sweep: Sweep) -> dict[str, Json]:
    """The search less its length and less how many trials run at a time."""
    tuning = sweep.tuning
    return {
        "space": [
            {"name": item.name, "kind": item.kind, "values": list(item.values), "when": _text(item.when)}
            for item in tuning.space
        ],
        "objectives": [{"metric": item.metric, "goal": item.goal} for item in tuning.objectives],
        "constraints": [item.text for item in tuning.constraints],
        "algorithm": tuning.search.algorithm,
        "warmup": tuning.search.warmup,
        "scheduler": _scheduler(sweep),
    }


def _text(expression: object) -> str:
    return getattr(expression, "text", "")


def _scheduler(sweep: Sweep) -> Json:
    scheduler = sweep.tuning.scheduler
    if scheduler is None:
        return None
    return {name: getattr(scheduler, name) for name in sorted(scheduler.__slots__)}


def _stage(spec: PipelineSpec, work: Work, around: Surroundings, contents: ContentCheck) -> dict[str, Json]:
    cell, stage = work.cell, work.draft.stage
    written: dict[str, Json] = {
        "uses": stage.uses.text if stage.uses else "",
        "with": plain(stage.with_) if stage.with_ else {},
        "when": stage.when.text if stage.when else "",
        "seed": stage.seed.text if stage.seed else "",
        "matrix": {axis: plain(node) for axis, node in stage.matrix.axes.items()} if stage.matrix else {},
        "in": {port: [_source(item) for item in sources] for port, sources in sorted(cell.inputs.items())},
        "from": {port: [scalar.text for scalar in scalars] for port, scalars in sorted(stage.inputs.items())},
    }
    if work.sweep and isinstance(cell.component, Sweep):
        deeper: dict[str, Json] = {
            address: _stage(spec, inner, around, contents) for address, inner in work.sweep.sample.items()
        }
        corners: Json = [_corner(spec, works, around, contents) for works in work.sweep.corners]
        result = result_parts({}, cell.component, work.tune)
        space: Json = {name: plain(node) for name, node in work.tune.space.items()}
        return {
            "search": _search(cell.component), "space": space, "stages": deeper, "corners": corners,
            "result": result, "written": written,
        }  # fmt: skip
    if work.checked is None:
        raise AssertionError("a sweep with problems is never settled")
    problems = Problems()
    found = contents.nested(work.checked, work.blame(problems))
    problems.check()
    seed = cell_seed(spec.seed, cell.component.id, cell.seed)
    parts = key_parts(work.checked, {}, seed=seed, resources=cell.resources, contents=found or {}, around=around)
    return {**{name: parts[name] for name in parts if name not in ("schema", "inputs", "runtime")}, "written": written}


def _corner(spec: PipelineSpec, works: Mapping[str, Work], around: Surroundings, contents: ContentCheck) -> str:
    """What other values of the space come to: another component, other files, another seed."""
    return digest({address: _stage(spec, work, around, contents) for address, work in works.items()})


def _source(source: object) -> str:
    return f"{source.cell}.{source.port}" if isinstance(source, PortSource) else digest(getattr(source, "digest", ""))


def _reads(nodes: Iterable[Node], sweep: Sweep, done: Done) -> dict[str, Json]:
    """The values of what expressions inside read outside: parameters, axes, and metrics of outer stages."""
    found: dict[str, Json] = {}
    read_metric = read_from(done)
    for name in sorted({name for node in nodes for name in names(node)}):
        space, *rest = name
        if space == "params" and rest and rest[0] in sweep.values.params:
            found[".".join(name)] = _value(sweep.values.params[rest[0]], tuple(rest[1:]))
        elif space == "matrix" and rest and rest[0] in sweep.values.axes:
            found[".".join(name)] = _value(sweep.values.axes[rest[0]], tuple(rest[1:]))
        elif space in done and rest:
            found[".".join(name)] = read_metric(space, ".".join(rest))
    return found


def _value(value: object, rest: tuple[str, ...]) -> Json:
    try:
        return inside(value, rest, "")  # type: ignore[return-value]  # parameters and axes are JSON
    except UnknownName:
        return None


def _searched(tune: TuneSpec) -> Iterator[Node]:
    """Where a search itself reads something that its resolved values do not show."""
    for node in tune.space.values():
        when = node.get("when") if isinstance(node, MapNode) else None
        yield from (when,) if when is not None else ()
    for constraint in tune.constraints:
        yield replace(constraint, value=_as_expression(constraint.value))


def _as_expression(text: object) -> str:
    """A constraint may stand without `${}`."""
    written = str(text)
    return written if "${" in written else f"${{{written}}}"


def _nodes(work: SweepWork) -> Iterator[Node]:
    for inner in work.sample.values():
        stage = inner.draft.stage
        yield from (node for node in (stage.uses, stage.with_, stage.when, stage.seed) if node is not None)
        yield from (scalar for scalars in stage.inputs.values() for scalar in scalars)
        yield from stage.matrix.axes.values() if stage.matrix else ()
        if stage.tune:
            yield from _searched(stage.tune)
            yield from stage.tune.space.values()
            yield from (stage.tune.promote,) if stage.tune.promote else ()
        if inner.sweep:
            yield from _nodes(inner.sweep)
