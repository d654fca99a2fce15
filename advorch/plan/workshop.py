"""Turns stages into cells: those of the file, and those inside a sweep for the values of one trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from advorch.plan.assemble import Assembler
from advorch.plan.connect import Connector
from advorch.plan.content_check import ContentCheck
from advorch.plan.datasets import DataCatalog
from advorch.plan.drafts import Expanded, all_drafts, expand_stage
from advorch.plan.metrics import Reads, producers, reads_of
from advorch.plan.order import find_cycle, topological
from advorch.plan.parameters import ParameterCheck
from advorch.plan.problems import Problems
from advorch.plan.scope import Values
from advorch.plan.sweep import Sweep
from advorch.plan.sweeps import expand_sweep
from advorch.plan.trials import SweepAssembler
from advorch.plan.work import Work
from advorch.registry.registry import Registry
from advorch.spec.pipeline import PipelineSpec, StageSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Cells in the order of the file, and what each stage reads of others by value."""

    works: Mapping[str, Work]
    reads: Mapping[str, Reads]

    @property
    def edges(self) -> dict[str, list[str]]:
        """What each cell comes after."""
        return {address: [*work.cell.after, *work.cell.optional_after] for address, work in self.works.items()}

    def in_order(self, problems: Problems) -> list[str]:
        """Every cell after what it reads; those that wait for each other are a problem."""
        edges = self.edges
        order = topological(edges)
        ordered = set(order)
        left = [address for address in edges if address not in ordered]
        if left:
            loop = find_cycle(edges, left)
            mark = self.works[loop[0]].draft.stage.mark
            message = f"these stages wait for each other: {' -> '.join(loop)}"
            problems.add("E309", message, mark, "one of them must do without what it reads of the other")
        return order


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What it takes to plan a stage, wherever it stands."""

    spec: PipelineSpec
    registry: Registry
    contents: ContentCheck
    checks: ParameterCheck
    data: DataCatalog

    def expand(self, stages: Mapping[str, StageSpec], values: Values, problems: Problems) -> dict[str, Expanded]:
        """Stages as cells that are not connected yet."""

        def names(word: str) -> bool:
            return word in values.stages or word in self.data

        return {
            name: expand_sweep(self, stage, values, names, problems)
            if stage.tune
            else expand_stage(stage, values, self.registry, names, problems)
            for name, stage in stages.items()
        }

    def make(
        self, own: Mapping[str, Expanded], known: Mapping[str, Expanded], path: Sequence[str], problems: Problems
    ) -> Made:
        """Cells connected and with their parameters checked; `known` has what they may read, themselves included."""
        connector = Connector(known, self.data, self.spec.root, tuple(path), problems)
        assembler = Assembler(self.spec, self.checks, self.contents, problems)
        sweeps = SweepAssembler(self, known, tuple(path), problems)
        found = {name: reads_of(expanded.stage, known, problems) for name, expanded in own.items()}
        reads = {name: read for name, read in found.items() if read}
        read_by = {name: producers(read, own[name].stage, known, problems) for name, read in reads.items()}
        works = {}
        for draft in all_drafts(own):
            if (name := draft.stage.name) in reads:
                links = connector.connect(draft)
                make = sweeps.assemble if isinstance(draft.component, Sweep) else assembler.assemble
                works[draft.address] = make(draft, links, reads[name], read_by[name])
        return Made(works=works, reads=reads)
