"""Metrics of other stages that `when:` and `with:` read: known before the run by name, after it by value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from advorch.plan.drafts import Expanded
from advorch.plan.problems import Problems
from advorch.plan.scope import Name, Scope
from advorch.plan.work import Draft
from advorch.spec.expression import Expression, ExpressionError, UnknownName
from advorch.spec.interpolate import AlreadyReported, condition, names
from advorch.spec.nodes import Entry, MapNode, Mark
from advorch.spec.pipeline import StageSpec
from advorch.spec.scalars import shown
from advorch.spec.suggest import hint, listing
from advorch.store.manifest import Manifest

Done = Mapping[str, Manifest | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """What one stage reads of others by value; `settled` and `open` part its `with:` by that."""

    settled: MapNode | None
    open: frozenset[str]
    when: Expression | None
    metrics: Mapping[Name, Mark]
    when_is_open: bool


def reads_of(stage: StageSpec, stages: Mapping[str, Expanded], problems: Problems) -> Reads | None:
    """Look through a stage once, for all its cells; None where an expression cannot be parsed."""
    try:
        found = {key: _metrics(names(entry.node), stages) for key, entry in _entries(stage.with_).items()}
        when = condition(stage.when) if stage.when else None
    except ExpressionError as error:
        problems.take(error.problem())
        return None
    asked = _metrics(dict(when.marks()), stages) if when else {}
    left_open = frozenset(key for key, metrics in found.items() if metrics)
    return Reads(
        settled=_without(stage.with_, left_open),
        open=left_open,
        when=when,
        metrics={name: mark for group in (*found.values(), asked) for name, mark in group.items()},
        when_is_open=bool(asked),
    )


def _entries(node: MapNode | None) -> Mapping[str, Entry]:
    return node.entries if node else {}


def _metrics(read: Mapping[Name, Mark], stages: Mapping[str, Expanded]) -> dict[Name, Mark]:
    return {name: mark for name, mark in read.items() if name[0] in stages}


def _without(node: MapNode | None, keys: frozenset[str]) -> MapNode | None:
    if node is None or not keys:
        return node
    return replace(node, entries={key: entry for key, entry in node.entries.items() if key not in keys})


def producers(reads: Reads, reader: StageSpec, stages: Mapping[str, Expanded], problems: Problems) -> frozenset[str]:
    """The cells whose metrics a stage reads; a name that cannot be read is a problem."""
    found = set()
    for name, mark in reads.metrics.items():
        draft = _producer(name, mark, reader, stages[name[0]], problems)
        if draft:
            found.add(draft.address)
    return frozenset(found)


def _producer(name: Name, mark: Mark, reader: StageSpec, expanded: Expanded, problems: Problems) -> Draft | None:
    stage = name[0]
    if stage == reader.name:
        problems.add("E309", f"'{stage}' reads its own metric", mark)
    elif expanded.stage.matrix is not None:
        cells = listing(expanded.labels)
        problems.add("E311", f"'{stage}' has a metric for each of its cells: {cells}", mark, "read one stage's metric")
    elif expanded.drafts:
        draft = next(iter(expanded.drafts.values()))
        metric = ".".join(name[1:])
        if metric in draft.component.metrics:
            return draft
        known = hint(metric, sorted(draft.component.metrics)) or f"{draft.component.id} reports no metrics"
        problems.add("E311", f"'{stage}' ({draft.component.id}) has no metric '{metric}'", mark, known)
    return None


def read_from(done: Done) -> Callable[[str, str], float]:
    """Metrics of stages that have finished; a stage without a matrix is addressed by its name."""

    def read_metric(stage: str, metric: str) -> float:
        manifest = done.get(stage)
        reported = manifest.metrics if manifest else {}
        if metric not in reported:
            raise UnknownName(f"{stage}.{metric}", [f"{stage}.{name}" for name in reported])
        return reported[metric]

    return read_metric


def holds(when: Expression, scope: Scope, problems: Problems) -> bool | None:
    """Whether a condition is true; None after a problem."""
    try:
        value = when.evaluate(scope)
    except ExpressionError as error:
        problems.take(error.problem())
        return None
    except AlreadyReported:
        return None
    if not isinstance(value, bool):
        problems.add("E312", f"`when` takes true or false, not {shown(value)}", when.mark, "compare: a >= b")
        return None
    return value
