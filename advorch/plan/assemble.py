"""Puts a cell together from its draft, its connections and its parameters."""

from collections.abc import Mapping

from advorch.plan.cells import Cell
from advorch.plan.connect import Links
from advorch.plan.content_check import ContentCheck
from advorch.plan.metrics import Reads, holds
from advorch.plan.parameters import Checked, ParameterCheck
from advorch.plan.problems import Problems
from advorch.plan.scope import read
from advorch.plan.stage_values import read_limits, read_seed
from advorch.plan.work import Draft, Work, blame_for
from advorch.spec.nodes import Located
from advorch.spec.pipeline import PipelineSpec


class Assembler:
    """Evaluates, for each cell, everything that does not wait for a metric."""

    def __init__(self, spec: PipelineSpec, checks: ParameterCheck, contents: ContentCheck, problems: Problems) -> None:
        self._spec = spec
        self._checks = checks
        self._contents = contents
        self._problems = problems

    def assemble(self, draft: Draft, links: Links, reads: Reads, read_by: frozenset[str]) -> Work:
        """The cell; what is wrong with it is among the problems."""
        located = read(reads.settled, draft.scope, self._problems) if reads.settled else Located({})
        checked = self._checked(draft, located, reads) if located else None
        when = True if reads.when is None else None
        if reads.when and not reads.when_is_open:
            when = holds(reads.when, draft.scope, self._problems)
        cell = self._cell(draft, links, checked, reads, read_by)
        return Work(
            cell=cell,
            draft=draft,
            checked=checked,
            located=located or Located({}),
            open=bool(reads.open),
            when=when,
        )

    def _checked(self, draft: Draft, located: Located, reads: Reads) -> Checked | None:
        blame = blame_for(draft.stage, located, self._problems)
        values = located.value if isinstance(located.value, Mapping) else {}
        if reads.open:
            checked = self._checks.check_settled(draft.component, values, reads.open, blame)
        else:
            checked = self._checks.check(draft.component, values, blame)
        if checked:
            self._contents.nested(checked, blame)
        return checked

    def _cell(self, draft: Draft, links: Links, checked: Checked | None, reads: Reads, read_by: frozenset[str]) -> Cell:
        stage, after = draft.stage, links.after | read_by
        return Cell(
            address=draft.address,
            stage=stage.name,
            component=draft.component,
            inputs=links.inputs,
            after=after,
            optional_after=links.optional_after - after,
            params=checked.plain if checked else {},
            deferred=reads.open,
            axes=draft.axes,
            resources=stage.resources,
            retry=stage.retry,
            timeout=stage.timeout,
            limits=read_limits(draft, self._spec.limits, self._problems),
            continue_on_failure=stage.on_failure == "continue",
            seed=read_seed(draft, self._problems),
        )
