"""A cell on its way from the file to the plan: where it stands, and what is known of it so far."""

from collections.abc import Mapping
from dataclasses import dataclass

from advorch.canonical import Json
from advorch.components import AnyStageComponent
from advorch.plan.cells import Cell
from advorch.plan.complaints import Complaint
from advorch.plan.parameters import Checked
from advorch.plan.problems import Problems
from advorch.plan.scope import Scope
from advorch.plan.sweep import SweepWork
from advorch.spec.nodes import Located, Mark
from advorch.spec.pipeline import StageSpec, TuneSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A stage after matrix expansion, before anything is connected."""

    stage: StageSpec
    address: str
    labels: Mapping[str, str]
    axes: Mapping[str, Json]
    scope: Scope
    component: AnyStageComponent


@dataclass(frozen=True, slots=True)
class Blame:
    """Finds the place in a file for what is said of a path in parameters."""

    located: Located
    otherwise: Mark
    problems: Problems
    component: Mark | None = None

    def __call__(self, code: str, complaint: Complaint) -> None:
        self.problems.add(code, complaint.message, self._place(complaint) or self.otherwise, complaint.hint)

    def _place(self, complaint: Complaint) -> Mark | None:
        if complaint.on_component:
            nested = (*complaint.path[:-1], "uses")
            return self.located.mark(nested) if complaint.path else self.component
        find = self.located.key_mark if complaint.on_key else self.located.mark
        return find(complaint.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A cell with what the plan keeps beside it; `when` is None while a metric is awaited.

    While parameters are `open`, `checked` has only the others.
    """

    cell: Cell
    draft: Draft
    checked: Checked | None
    located: Located
    open: bool = False
    when: bool | None = True
    sweep: SweepWork | None = None

    @property
    def tune(self) -> TuneSpec:
        """The search of a sweep."""
        if self.draft.stage.tune is None:
            raise TypeError(f"{self.cell.address} is no sweep")
        return self.draft.stage.tune

    def blame(self, problems: Problems) -> Blame:
        """Says where in the file a parameter of this cell stands."""
        return blame_for(self.draft.stage, self.located, problems)


def blame_for(stage: StageSpec, located: Located, problems: Problems) -> Blame:
    """What has no place of its own is put to the stage's `with:`, or to the stage."""
    return Blame(
        located, stage.with_.mark if stage.with_ else stage.mark, problems, stage.uses.mark if stage.uses else None
    )
