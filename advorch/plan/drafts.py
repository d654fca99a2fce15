"""Stages as cells: the matrix expanded, the component of every cell found."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from advorch.artifacts import ArtifactType
from advorch.components import StageComponent
from advorch.plan.matrix import Combination, expand
from advorch.plan.named import find_component
from advorch.plan.problems import Problems
from advorch.plan.references import address
from advorch.plan.scope import Scope, Values
from advorch.plan.work import Draft
from advorch.registry.registry import Registry
from advorch.spec.pipeline import StageSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Expanded:
    """One stage; cells whose component is unknown have labels and no draft, so that nobody is blamed twice."""

    stage: StageSpec
    labels: Mapping[str, Mapping[str, str]]
    drafts: Mapping[str, Draft]

    @property
    def is_opaque(self) -> bool:
        """Whether nothing is known of the stage's outputs."""
        return not self.drafts

    def outputs(self, draft: Draft) -> Mapping[str, ArtifactType]:
        """The outputs of one cell."""
        return {name: port.type for name, port in draft.component.outputs().items()}


def expand_stage(
    stage: StageSpec, values: Values, registry: Registry, names: Callable[[str], bool], problems: Problems
) -> Expanded:
    """The cells of a stage, in the order of its matrix."""
    combinations = expand(stage, Scope(values), names, problems)
    labelled = {address(stage.name, labels_of(points)): points for points in combinations}
    found = {name: _draft(stage, name, points, values, registry, problems) for name, points in labelled.items()}
    return Expanded(
        stage=stage,
        labels={name: labels_of(points) for name, points in labelled.items()},
        drafts={name: draft for name, draft in found.items() if draft},
    )


def _draft(
    stage: StageSpec, name: str, points: Combination, values: Values, registry: Registry, problems: Problems
) -> Draft | None:
    axes = {**values.axes, **{axis: point.value for axis, point in points.items()}}
    scope = Scope(values, axes)
    component = find_component(stage.uses, scope, registry, problems) if stage.uses else None
    if not isinstance(component, StageComponent):
        return None
    return Draft(stage=stage, address=name, labels=labels_of(points), axes=axes, scope=scope, component=component)


def labels_of(points: Combination) -> dict[str, str]:
    return {axis: point.label for axis, point in points.items()}


def all_drafts(stages: Mapping[str, Expanded]) -> Iterator[Draft]:
    """Every cell that has a component, in the order of the file."""
    for expanded in stages.values():
        yield from expanded.drafts.values()
