"""Stages with `tune:` as cells: what is searched, which stages are inside, and what comes out."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from advorch.artifacts import ArtifactType
from advorch.errors import InvalidPipeline
from advorch.params import Params
from advorch.plan.corners import corners
from advorch.plan.drafts import Expanded, labels_of
from advorch.plan.matrix import Combination, expand
from advorch.plan.picking import parse_or_report, pick
from advorch.plan.problems import Problems
from advorch.plan.references import address
from advorch.plan.scope import Scope, Values
from advorch.plan.sweep import ID, TRIALS, Sweep, nothing_to_load
from advorch.plan.sweep_checks import check_tuning
from advorch.plan.work import Draft
from advorch.spec.expression import ExpressionError
from advorch.spec.pipeline import ResourceSpec, RetrySpec, StageSpec
from advorch.spec.suggest import hint
from advorch.spec.tuning import Tuning, read_tuning
from advorch.spec.tuning_faults import tuning_faults

if TYPE_CHECKING:
    from advorch.plan.workshop import Workshop

Names = Callable[[str], bool]
Results = Mapping[str, tuple[str, str]]


def expand_sweep(workshop: "Workshop", stage: StageSpec, values: Values, names: Names, problems: Problems) -> Expanded:
    """The cells of a sweep, one for each combination of its matrix."""
    combinations = expand(stage, Scope(values), names, problems)
    drafts = {}
    for points in combinations:
        draft = _draft(workshop, stage, values, points, problems)
        if draft:
            drafts[draft.address] = draft
    labels = {address(stage.name, labels_of(points)): labels_of(points) for points in combinations}
    return Expanded(stage=_shell(stage), labels=labels, drafts=drafts)


def _shell(stage: StageSpec) -> StageSpec:
    """The stage as others see it: what it runs with belongs to the stage inside."""
    if stage.stages:
        return stage
    return replace(stage, inputs={}, with_=None, resources=ResourceSpec(), retry=RetrySpec(), timeout=None, limits={})


def inner_stages(stage: StageSpec) -> Mapping[str, StageSpec]:
    """The stages of a trial; one that is tuned by itself is its own."""
    if stage.stages:
        return stage.stages
    alone = replace(stage, tune=None, matrix=None, when=None, needs=(), on_failure="stop", out={})
    return {stage.name: alone}


def _draft(
    workshop: "Workshop", stage: StageSpec, values: Values, points: Combination, problems: Problems
) -> Draft | None:
    axes = {**values.axes, **{axis: point.value for axis, point in points.items()}}
    tuning = _tuning(stage, Scope(values, axes), problems)
    if tuning is None:
        return None
    component = _component(workshop, stage, values.inside(axes, None, inner_stages(stage)), tuning, problems)
    if component is None:
        return None
    labels = labels_of(points)
    return Draft(
        stage=_shell(stage),
        address=address(stage.name, labels),
        labels=labels,
        axes=axes,
        scope=Scope(values, axes),
        component=component,
    )


def _tuning(stage: StageSpec, scope: Scope, problems: Problems) -> Tuning | None:
    if stage.tune is None:
        raise AssertionError("only a stage with `tune:` is a sweep")
    try:
        tuning = read_tuning(stage.tune, scope)
    except InvalidPipeline as error:
        problems.extend(error.problems)
        return None
    except ExpressionError as error:
        problems.take(error.problem())
        return None
    for section, message, advice in tuning_faults(tuning):
        problems.add("E319", message, getattr(getattr(stage.tune, section), "mark", stage.tune.mark), advice)
    return tuning


def _component(
    workshop: "Workshop", stage: StageSpec, values: Values, tuning: Tuning, problems: Problems
) -> Sweep | None:
    stages = inner_stages(stage)
    first = next(corners(tuning.space, Scope(values)))
    inside = workshop.expand(stages, values.inside({}, first, ()), problems)
    if any(expanded.is_opaque for expanded in inside.values()):
        return None
    results, types = _results(stage, inside, problems)
    single = "" if stage.stages else stage.name
    sweep = Sweep(
        name=ID.partition("/")[2], summary="a search", params=Params, load=nothing_to_load, tuning=tuning,
        stages=stages, results=results, types=types, values=values, single=single,
    )  # fmt: skip
    metrics = {
        sweep.name_of(name, metric)
        for name, expanded in inside.items()
        if expanded.stage.matrix is None
        for draft in expanded.drafts.values()
        for metric in draft.component.metrics
    }
    sweep = replace(sweep, metrics=frozenset(metrics))
    check_tuning(stage, sweep, inside, problems)
    return sweep


def _results(
    stage: StageSpec, inside: Mapping[str, Expanded], problems: Problems
) -> tuple[Results, dict[str, ArtifactType]]:
    """What `out:` names, or everything that a stage which is tuned by itself produces."""
    if not stage.stages:
        draft = next(iter(inside[stage.name].drafts.values()))
        types = {port: item.type for port, item in draft.component.outputs().items()}
        return {port: (stage.name, port) for port in types}, types
    results, types = {}, {}
    for port, scalar in stage.out.items():
        if port == TRIALS:
            problems.add("E305", f"every sweep has an output '{TRIALS}' of its own", scalar.mark, "call it otherwise")
            continue
        reference = parse_or_report(scalar.value, scalar.mark, problems)
        drafts = pick(reference, inside[reference.name], scalar.mark, problems) if reference else ()
        for draft in drafts[:1]:
            outputs = draft.component.outputs()
            if reference and reference.port in outputs:
                results[port] = (draft.address, reference.port)
                types[port] = outputs[reference.port].type
            elif reference:
                message = f"'{draft.stage.name}' ({draft.component.id}) has no output '{reference.port}'"
                problems.add("E305", message, scalar.mark, hint(reference.port, outputs))
    return results, types
