"""Builds a plan from a pipeline, and finds every mistake that can be found before anything runs."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from advorch.components import AnyComponent
from advorch.plan.assemble import Assembler
from advorch.plan.connect import Connector
from advorch.plan.content_check import ContentCheck
from advorch.plan.contents import Digests
from advorch.plan.datasets import DataCatalog, read_entry
from advorch.plan.drafts import Expanded, all_drafts, expand_stage
from advorch.plan.keys import SourceDigest
from advorch.plan.leaks import warn_of_leaks
from advorch.plan.logged import logged_models
from advorch.plan.metrics import Reads, producers, reads_of
from advorch.plan.order import find_cycle, topological
from advorch.plan.parameters import ParameterCheck
from advorch.plan.plan import Plan, Tools
from advorch.plan.problems import Problems
from advorch.plan.reach import warn_of_short_steps
from advorch.plan.scope import Scope, Values
from advorch.plan.selection import Selection, choose
from advorch.plan.sweeps import refuse_sweep
from advorch.plan.threat import ThreatCheck
from advorch.plan.work import Work
from advorch.registry.registry import Registry
from advorch.registry.source import source_digest
from advorch.spec.pipeline import PipelineSpec
from advorch.spec.suggest import hint


def build_plan(
    spec: PipelineSpec,
    registry: Registry,
    *,
    digests: Digests | None,
    selection: Selection | None = None,
    sources: SourceDigest | None = None,
) -> Plan:
    """The plan of a pipeline; raises InvalidPipeline with all problems at once.

    Without `digests` no data is read: such a plan can be drawn and checked, not settled.
    """
    contents = ContentCheck(digests, sources or cached_sources())
    return _Builder(spec, registry, contents).build(selection or Selection())


def cached_sources() -> SourceDigest:
    """Source digests, each taken once."""
    known: dict[str, str] = {}
    cache: dict[Any, Any] = {}

    def digest_of(component: AnyComponent) -> str:
        if component.id not in known:
            known[component.id] = source_digest(component, cache=cache)
        return known[component.id]

    return digest_of


class _Builder:
    """One pass over a pipeline; each step needs the one before."""

    def __init__(self, spec: PipelineSpec, registry: Registry, contents: ContentCheck) -> None:
        self._spec = spec
        self._registry = registry
        self._contents = contents
        self._problems = Problems()
        self._values = Values(spec)
        self._checks = ParameterCheck(registry, hint)
        self._threats = ThreatCheck(registry)

    def build(self, selection: Selection) -> Plan:
        data = self._data()
        stages = self._stages(data)
        reads = self._reads(stages)
        works = self._works(stages, data, reads)
        edges = {address: [*work.cell.after, *work.cell.optional_after] for address, work in works.items()}
        order = self._order(edges, works)
        self._check_threats([works[address] for address in order])
        logged = logged_models(self._spec.tracking.models, stages, works, self._problems)
        self._problems.check()
        tools = Tools(
            checks=self._checks,
            contents=self._contents,
            threats=self._threats,
            reads=reads,
            params=self._values.params,
            logged=logged,
        )
        labels = {name: expanded.labels for name, expanded in stages.items()}
        chosen = choose(selection, edges, labels)
        kept = {address: works[address] for address in order if address in chosen.run | chosen.reuse}
        return self._checked(Plan(self._spec, kept, tools, reuse=chosen.reuse))

    def _checked(self, plan: Plan) -> Plan:
        """The plugins have the last word."""
        self._problems.extend(self._registry.check_plan(plan))
        self._problems.check()
        plan.warnings = (*self._spec.warnings, *self._problems.warnings())
        return plan

    def _data(self) -> DataCatalog:
        scope = Scope(self._values)
        entries = {
            name: read_entry(spec, scope, self._registry, self._checks, self._problems)
            for name, spec in self._spec.data.items()
        }
        return DataCatalog(entries, self._contents)

    def _stages(self, data: DataCatalog) -> dict[str, Expanded]:
        def names(word: str) -> bool:
            return word in self._spec.stages or word in data

        expand = partial(
            expand_stage, values=self._values, registry=self._registry, names=names, problems=self._problems
        )
        found = {}
        for name, stage in self._spec.stages.items():
            found[name] = refuse_sweep(stage, self._values, self._registry, self._problems) or expand(stage)
        return found

    def _reads(self, stages: Mapping[str, Expanded]) -> dict[str, Reads]:
        found = {name: reads_of(expanded.stage, stages, self._problems) for name, expanded in stages.items()}
        return {name: reads for name, reads in found.items() if reads}

    def _works(self, stages: Mapping[str, Expanded], data: DataCatalog, reads: Mapping[str, Reads]) -> dict[str, Work]:
        connector = Connector(stages, data, self._spec.root, self._problems)
        assembler = Assembler(self._spec, self._checks, self._contents, self._problems)
        read_by = {name: producers(found, stages[name].stage, stages, self._problems) for name, found in reads.items()}
        return {
            draft.address: assembler.assemble(draft, connector.connect(draft), reads[name], read_by[name])
            for draft in all_drafts(stages)
            if (name := draft.stage.name) in reads
        }

    def _order(self, edges: Mapping[str, Sequence[str]], works: Mapping[str, Work]) -> list[str]:
        order = topological(edges)
        ordered = set(order)
        left = [address for address in edges if address not in ordered]
        if left:
            loop = find_cycle(edges, left)
            mark = works[loop[0]].draft.stage.mark
            message = f"these stages wait for each other: {' -> '.join(loop)}"
            self._problems.add("E309", message, mark, "one of them must do without what it reads of the other")
        return order

    def _check_threats(self, works: Sequence[Work]) -> None:
        for work in works:
            self._threats.follow(work.cell, work.checked)
            if work.checked:
                self._threats.check(work.cell, work.checked, work.blame(self._problems))
        warn_of_leaks(works, self._problems)
        warn_of_short_steps(works, self._problems)
