"""A trial of a sweep as a plan of its own: the inner stages with values drawn, connected to what stands outside."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from advorch.canonical import Json
from advorch.components import Shape
from advorch.params import Params
from advorch.plan.cells import Cell, PortSource, Source
from advorch.plan.connect import Links
from advorch.plan.corners import corners
from advorch.plan.drafts import Expanded
from advorch.plan.metrics import Reads, holds
from advorch.plan.parameters import Checked
from advorch.plan.plan import Plan, Tools
from advorch.plan.problems import Problems
from advorch.plan.refits import refitted
from advorch.plan.stage_values import read_seed
from advorch.plan.sweep import Sweep, SweepWork
from advorch.plan.threat import ThreatCheck
from advorch.plan.work import Draft, Work
from advorch.spec.nodes import Located

if TYPE_CHECKING:
    from advorch.plan.workshop import Made, Workshop


class TrialPlanner:
    """Plans trials of one cell of one sweep; outer stages are known, and their results come with settling."""

    def __init__(self, workshop: "Workshop", draft: Draft, known: Mapping[str, Expanded], path: Sequence[str]) -> None:
        if not isinstance(draft.component, Sweep):
            raise TypeError(f"{draft.address} is no sweep")
        self._workshop = workshop
        self._sweep: Sweep = draft.component
        self._stage = draft.stage
        self._known = known
        self._path = (*path, draft.stage.name, "stages") if draft.stage.stages else tuple(path)
        self.threats = ThreatCheck(workshop.registry)

    def plan(self, values: Mapping[str, Json], *, refit: int = 0) -> Plan:
        """See `PlansTrials`; raises InvalidPipeline where a component refuses the values."""
        problems = Problems()
        made = self.make(values, problems, refit=refit)
        order = made.in_order(problems)
        _follow([made.works[address] for address in order], self.threats.branch(), problems)
        problems.check()
        shop = self._workshop
        tools = Tools(
            checks=shop.checks, contents=shop.contents, threats=self.threats.branch(), reads=made.reads,
            params=self._sweep.values.params, logged=frozenset(), refit=refit,
        )  # fmt: skip
        spec = replace(shop.spec, pins={})  # a pin is of one of the pipeline's own sweeps
        return Plan(spec, {address: made.works[address] for address in order}, tools, reuse=frozenset())

    def make(self, values: Mapping[str, Json], problems: Problems, *, refit: int = 0) -> "Made":
        """The cells of a trial; what is wrong with them is among the problems."""
        stages = refitted(self._stage, self._sweep.stages) if refit else self._sweep.stages
        own = self._workshop.expand(stages, self._sweep.values.inside({}, values, ()), problems)
        return self._workshop.make(own, {**self._known, **own}, self._path, problems)


def check_inside(work: Work, threats: ThreatCheck, problems: Problems) -> None:
    """Carry models and ranges into a sweep, through the cells of a trial, and out again where its results are."""
    sweep = work.cell.component
    if work.sweep is None or not isinstance(sweep, Sweep):
        raise TypeError(f"{work.cell.address} is no sweep")
    work.sweep.planner.threats = threats.branch()
    inside = threats.branch()
    _follow(list(work.sweep.sample.values()), inside, problems)
    threats.take_over(work.cell, inside, [cell for cell, _ in sweep.results.values()])


def _follow(works: Sequence[Work], threats: ThreatCheck, problems: Problems) -> None:
    for work in works:
        if work.sweep:
            check_inside(work, threats, problems)
            continue
        threats.follow(work.cell, work.checked)
        if work.checked:
            threats.check(work.cell, work.checked, work.blame(problems))


class SweepAssembler:
    """Puts the cell of a sweep together; its space is tried at its corners, so that few trials can fail."""

    def __init__(
        self, workshop: "Workshop", known: Mapping[str, Expanded], path: Sequence[str], problems: Problems
    ) -> None:
        self._workshop = workshop
        self._known = known
        self._path = path
        self._problems = problems

    def assemble(self, draft: Draft, links: Links, reads: Reads, read_by: frozenset[str]) -> Work:
        """The cell; what is wrong with it, or inside it, is among the problems."""
        planner = TrialPlanner(self._workshop, draft, self._known, self._path)
        made, *others = self._tried(draft, planner)
        sample = {address: made.works[address] for address in made.in_order(self._problems)}
        when = True if reads.when is None else None
        if reads.when and not reads.when_is_open:
            when = holds(reads.when, draft.scope, self._problems)
        empty = Checked(component=draft.component, model=Params(), plain={}, hashed={})
        return Work(
            cell=self._cell(draft, links.after | read_by, links.optional_after, [made, *others]),
            draft=draft,
            checked=empty,
            located=Located({}),
            when=when,
            sweep=SweepWork(
                planner=planner, sample=sample, reads=made.reads, corners=[other.works for other in others]
            ),
        )

    def _tried(self, draft: Draft, planner: TrialPlanner) -> "list[Made]":
        sweep = draft.component
        if not isinstance(sweep, Sweep):
            raise TypeError(f"{draft.address} is no sweep")
        tried = [planner.make(values, self._problems) for values in corners(sweep.tuning.space, draft.scope)]
        if sweep.tuning.refit and not self._problems.errors():
            planner.make(next(corners(sweep.tuning.space, draft.scope)), self._problems, refit=1)
        return tried

    def _cell(self, draft: Draft, needed: frozenset[str], awaited: frozenset[str], tried: "list[Made]") -> Cell:
        """What any trial may read is waited for."""
        inner = {name for made in tried for name in made.works}
        cells = [work.cell for made in tried for work in made.works.values()]
        after = needed | {name for cell in cells for name in cell.after if name not in inner}
        late = awaited | {name for cell in cells for name in cell.optional_after if name not in inner}
        stage = draft.stage
        return Cell(
            address=draft.address,
            stage=stage.name,
            component=draft.component,
            inputs=_outer_inputs(tried, inner),
            after=after,
            optional_after=late - after,
            params=described(draft.component),
            axes=draft.axes,
            retry=stage.retry,
            timeout=stage.timeout,
            continue_on_failure=stage.on_failure == "continue",
            seed=read_seed(draft, self._problems),
        )


def _outer_inputs(tried: "list[Made]", inner: set[str]) -> dict[str, tuple[Source, ...]]:
    """What the inner stages may read from outside, by inner cell and port."""
    found: dict[str, tuple[Source, ...]] = {}
    for made in tried:
        for address, work in made.works.items():
            for port, sources in work.cell.inputs.items():
                outer = [item for item in sources if not isinstance(item, PortSource) or item.cell not in inner]
                known = found.get(f"{address}.{port}", ())
                if outer:
                    found[f"{address}.{port}"] = (*known, *(item for item in outer if item not in known))
    return found


def described(component: object) -> dict[str, Json]:
    """What a run's record shows of a search."""
    if not isinstance(component, Sweep):
        raise TypeError("only a sweep is searched")
    tuning = component.tuning
    space: dict[str, Json] = {item.name: {item.kind: list(item.values)} for item in tuning.space}
    objective: list[Json] = [f"{item.goal} {item.metric}" for item in tuning.objectives]
    promote = f"top {tuning.winners}" if tuning.select == "top_k" else tuning.select
    found: dict[str, Json] = {
        "space": space, "objective": objective, "algorithm": tuning.search.algorithm, "promote": promote
    }  # fmt: skip
    if tuning.scheduler:
        found["scheduler"] = tuning.scheduler.type
    budget = {name: getattr(tuning.budget, name) for name in ("trials", "wall", "gpu_hours")}
    return {**found, **{name: value for name, value in budget.items() if value is not None}}


def selecting_works(work: Work) -> Iterator[Work]:
    """The cells inside a sweep whose metrics decide which trial wins."""
    sweep = work.cell.component
    if work.sweep is None or not isinstance(sweep, Sweep):
        return
    deciding = {sweep.stage_of(item.metric)[0] for item in sweep.tuning.objectives}
    for inner in work.sweep.sample.values():
        if inner.cell.stage in deciding:
            yield from selecting_works(inner) if inner.cell.component.shape is Shape.SWEEP else (inner,)
