"""Which models a run registers where it is recorded."""

from collections.abc import Mapping, Sequence

from advorch.artifacts import ArtifactType
from advorch.plan.cells import PortSource, port_types
from advorch.plan.drafts import Expanded
from advorch.plan.picking import parse_or_report, pick
from advorch.plan.problems import Problems
from advorch.plan.work import Work
from advorch.spec.nodes import Scalar
from advorch.spec.suggest import hint


def logged_models(
    named: Sequence[Scalar] | None, stages: Mapping[str, Expanded], works: Mapping[str, Work], problems: Problems
) -> frozenset[str]:
    """The cells that `tracking.mlflow.models` names; where it is left out, those whose model no other cell takes."""
    if named is None:
        return _last(works)
    return frozenset(address for scalar in named for address in _cells(scalar, stages, problems))


def _last(works: Mapping[str, Work]) -> frozenset[str]:
    taken = {
        (source.cell, source.port)
        for work in works.values()
        for sources in work.cell.inputs.values()
        for source in sources
        if isinstance(source, PortSource)
    }
    return frozenset(
        address
        for address, work in works.items()
        for port, kind in port_types(work.cell).items()
        if kind is ArtifactType.MODEL and (address, port) not in taken
    )


def _cells(scalar: Scalar, stages: Mapping[str, Expanded], problems: Problems) -> list[str]:
    reference = parse_or_report(scalar.value, scalar.mark, problems)
    if reference is None:
        return []
    if reference.name not in stages:
        message = f"there is no stage called '{reference.name}'"
        problems.add("E304", message, scalar.mark, hint(reference.name, stages))
        return []
    expanded = stages[reference.name]
    drafts = pick(reference, expanded, scalar.mark, problems) if reference.bracketed else expanded.drafts.values()
    for draft in drafts:
        if not any(port.type is ArtifactType.MODEL for port in draft.component.outputs().values()):
            problems.add("E308", f"'{draft.address}' ({draft.component.id}) has no model to log", scalar.mark)
    return [draft.address for draft in drafts]
