"""Whether a search can be meant: its objectives, its scheduler, its constraints, and what nobody reads of its space."""

from collections.abc import Mapping
from typing import Any

from advorch.plan.drafts import Expanded
from advorch.plan.problems import Problems
from advorch.plan.refits import check_refit
from advorch.plan.sweep import Sweep
from advorch.spec.expression import ExpressionError
from advorch.spec.interpolate import condition, names
from advorch.spec.nodes import MapNode, Mark, Node
from advorch.spec.pipeline import StageSpec, TuneSpec
from advorch.spec.suggest import hint, listing

Inside = Mapping[str, Expanded]


def check_tuning(stage: StageSpec, sweep: Sweep, inside: Inside, problems: Problems) -> None:
    """Complain of a search that could never find anything."""
    if stage.tune is None:
        raise AssertionError("only a stage with `tune:` is a sweep")
    for node in stage.tune.objectives:
        _check_metric(node, sweep, inside, frozenset(), problems)
    _check_selection(stage.tune, sweep, problems)
    _check_scheduler(stage.tune, sweep, inside, problems)
    _check_constraints(stage.tune, sweep, problems)
    check_refit(stage, sweep.stages, problems)
    _warn_of_unread(stage, sweep, problems)


def _reported(inside: Inside) -> frozenset[str]:
    drafts = [draft for expanded in inside.values() for draft in expanded.drafts.values()]
    return frozenset(metric for draft in drafts for metric in draft.component.reported)


def _check_metric(node: MapNode, sweep: Sweep, inside: Inside, reported: frozenset[str], problems: Problems) -> Any:
    """The component whose metric this is; None after a problem."""
    metric = node.get("metric")
    if metric is None:
        return None
    stage, name = sweep.stage_of(str(getattr(metric, "value", "")))
    expanded = inside.get(stage)
    if expanded is None:
        return None  # the shape of the file was checked: this has its line already
    if expanded.stage.matrix is not None:
        message = f"'{stage}' has a metric for each of its cells"
        problems.add("E319", message, metric.mark, "sum them up in an evaluation, and read its metric")
        return None
    component = next(iter(expanded.drafts.values())).component
    if name in component.metrics | (reported & component.reported):
        return component
    known = (
        hint(name, sorted(component.metrics | (reported & component.reported))) or f"{component.id} reports no metrics"
    )
    problems.add("E319", f"'{stage}' ({component.id}) has no metric '{name}'", metric.mark, known)
    return None


def _check_selection(tune: TuneSpec, sweep: Sweep, problems: Problems) -> None:
    several = len(sweep.tuning.objectives) > 1
    if several and sweep.tuning.select != "pareto":
        message = "of several objectives none decides by itself which trial is best"
        problems.add("E319", message, _mark(tune.promote, "select", tune.mark), "write promote: {select: pareto}")


def _check_scheduler(tune: TuneSpec, sweep: Sweep, inside: Inside, problems: Problems) -> None:
    scheduler = sweep.tuning.scheduler
    if scheduler is None or tune.scheduler is None:
        return
    node = tune.scheduler if scheduler.metric else tune.objectives[0]
    component = _check_metric(node, sweep, inside, _reported(inside), problems)
    if component is not None and component.time != scheduler.time:
        reports = f"it counts in {component.time}s" if component.time else "it reports nothing while it works"
        message = f"no '{scheduler.time}' is reported by {component.id}: {reports}"
        wanted = "" if scheduler.metric else "name the metric of a stage that trains: metric: train.robust_accuracy"
        problems.add("E319", message, _mark(tune.scheduler, "time", tune.mark), wanted)
    if scheduler.type == "pbt" and sweep.tuning.refit:
        message = "the winner of a population is a course of values, and a refit has one value each"
        problems.add("E319", message, _mark(tune.promote, "refit", tune.mark), "leave `refit` out, or use asha")
    if scheduler.type == "pbt" and sweep.tuning.select != "best":
        message = "a population is one training: its members cannot be told apart afterwards"
        problems.add("E319", message, _mark(tune.promote, "select", tune.mark), "write promote: {select: best}")


def _check_constraints(tune: TuneSpec, sweep: Sweep, problems: Problems) -> None:
    for scalar in tune.constraints:
        try:
            expression = condition(scalar)
        except ExpressionError as error:
            problems.take(error.problem())
            continue
        for name, mark in expression.marks():
            if name[0] in ("params", "matrix", "run", "trial"):
                continue
            metric = ".".join(name)
            if metric not in sweep.metrics:
                problems.add(
                    "E319", f"no inner stage has a metric '{metric}'", mark, hint(metric, sorted(sweep.metrics))
                )


def _warn_of_unread(stage: StageSpec, sweep: Sweep, problems: Problems) -> None:
    read = {name[1] for node in _texts(stage, sweep) for name in _read(node) if name[0] == "trial" and len(name) > 1}
    read |= {name[1] for item in sweep.tuning.space if item.when for name in item.when.names if name[0] == "trial"}
    unread = [item.name for item in sweep.tuning.space if item.name not in read]
    if unread and stage.tune:
        mark = stage.tune.space[unread[0]].mark
        message = f"no stage reads {listing([f'trial.{name}' for name in unread])}: every value gives the same"
        problems.warn("W303", message, mark, f"write ${{trial.{unread[0]}}} where it belongs, or leave it out")


def _texts(stage: StageSpec, sweep: Sweep) -> list[Node]:
    found: list[Node | None] = []
    for inner in sweep.stages.values():
        found += [inner.uses, inner.with_, inner.when, inner.seed, *inner.limits.values(), *inner.needs]
        found += [scalar for scalars in inner.inputs.values() for scalar in scalars]
        found += [*inner.matrix.axes.values()] if inner.matrix else []
        found += [*inner.tune.space.values(), inner.tune.search, inner.tune.budget] if inner.tune else []
        found += [deeper.with_ for deeper in inner.stages.values()]
    found += [*stage.tune.constraints] if stage.tune else []
    return [node for node in found if node is not None]


def _read(node: Node) -> list[tuple[str, ...]]:
    try:
        return list(names(node))
    except ExpressionError:
        return []  # it has its line already


def _mark(node: MapNode | None, key: str, otherwise: Mark) -> Mark:
    entry = node.entries.get(key) if node else None
    return entry.node.mark if entry else otherwise
