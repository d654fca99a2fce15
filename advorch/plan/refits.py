"""The inner stages of a sweep as its winner is trained again: `refit: {with: {train.epochs: 40}}` over `with:`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from advorch.plan.problems import Problems
from advorch.spec.nodes import Entry, MapNode
from advorch.spec.pipeline import StageSpec
from advorch.spec.suggest import hint

Stages = Mapping[str, StageSpec]


def refitted(stage: StageSpec, stages: Stages) -> dict[str, StageSpec]:
    """The stages with what a refit changes."""
    changed = dict(stages)
    for name, path, entry in _settings(stage, stages):
        if name in changed and path:
            inner = changed[name]
            base = inner.with_ or MapNode({}, entry.key)
            changed[name] = replace(inner, with_=_set(base, path, entry))
    return changed


def check_refit(stage: StageSpec, stages: Stages, problems: Problems) -> None:
    """Complain of a change to a stage that is not there."""
    for name, path, entry in _settings(stage, stages):
        if name not in stages or not path:
            written = ".".join([name, *path])
            message = f"'{written}' names no parameter of an inner stage"
            problems.add("E304", message, entry.key, hint(name, list(stages)) or "write stage.parameter")


def _settings(stage: StageSpec, stages: Stages) -> Iterator[tuple[str, Sequence[str], Entry]]:
    promote = stage.tune.promote if stage.tune else None
    refit = promote.get("refit") if promote else None
    settings = refit.get("with") if isinstance(refit, MapNode) else None
    for key, entry in settings.entries.items() if isinstance(settings, MapNode) else ():
        first, *rest = key.split(".")
        if first in stages and rest:
            yield first, rest, entry
        elif len(stages) == 1 and not stage.stages:
            yield next(iter(stages)), [first, *rest], entry
        else:
            yield first, rest, entry


def _set(node: MapNode, path: Sequence[str], entry: Entry) -> MapNode:
    """The map with the value at a path; what lies on the way is made."""
    first, *rest = path
    if not rest:
        return MapNode({**node.entries, first: entry}, node.mark)
    below = node.get(first)
    inner = _set(below if isinstance(below, MapNode) else MapNode({}, entry.key), rest, entry)
    key = node.entries[first].key if first in node.entries else entry.key
    return MapNode({**node.entries, first: Entry(key, inner)}, node.mark)
