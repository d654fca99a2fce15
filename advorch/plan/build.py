"""Builds a plan from a pipeline, and finds every mistake that can be found before anything runs."""

from collections.abc import Sequence
from typing import Any

from advorch.components import AnyComponent
from advorch.plan.content_check import ContentCheck
from advorch.plan.contents import Digests
from advorch.plan.datasets import DataCatalog, read_entry
from advorch.plan.keys import SourceDigest
from advorch.plan.leaks import warn_of_leaks
from advorch.plan.logged import logged_models
from advorch.plan.parameters import ParameterCheck
from advorch.plan.pinning import warn_of_lost_pins
from advorch.plan.plan import Plan, Tools
from advorch.plan.problems import Problems
from advorch.plan.reach import warn_of_short_steps
from advorch.plan.scope import Scope, Values
from advorch.plan.selection import Selection, choose
from advorch.plan.threat import ThreatCheck
from advorch.plan.trials import check_inside
from advorch.plan.work import Work
from advorch.plan.workshop import Workshop
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
        workshop = self._workshop()
        stages = workshop.expand(self._spec.stages, self._values, self._problems)
        made = workshop.make(stages, stages, ("stages",), self._problems)
        order = made.in_order(self._problems)
        self._check_threats([made.works[address] for address in order])
        logged = logged_models(self._spec.tracking.models, stages, made.works, self._problems)
        warn_of_lost_pins(self._spec, made.works, self._problems)
        self._problems.check()
        tools = Tools(
            checks=self._checks,
            contents=self._contents,
            threats=self._threats,
            reads=made.reads,
            params=self._values.params,
            logged=logged,
        )
        labels = {name: expanded.labels for name, expanded in stages.items()}
        chosen = choose(selection, made.edges, labels)
        kept = {address: made.works[address] for address in order if address in chosen.run | chosen.reuse}
        return self._checked(Plan(self._spec, kept, tools, reuse=chosen.reuse))

    def _checked(self, plan: Plan) -> Plan:
        """The plugins have the last word."""
        self._problems.extend(self._registry.check_plan(plan))
        self._problems.check()
        plan.warnings = (*self._spec.warnings, *self._problems.warnings())
        return plan

    def _workshop(self) -> Workshop:
        scope = Scope(self._values)
        entries = {
            name: read_entry(spec, scope, self._registry, self._checks, self._problems)
            for name, spec in self._spec.data.items()
        }
        return Workshop(
            spec=self._spec,
            registry=self._registry,
            contents=self._contents,
            checks=self._checks,
            data=DataCatalog(entries, self._contents),
        )

    def _check_threats(self, works: Sequence[Work]) -> None:
        for work in works:
            if work.sweep:
                check_inside(work, self._threats, self._problems)
                continue
            self._threats.follow(work.cell, work.checked)
            if work.checked:
                self._threats.check(work.cell, work.checked, work.blame(self._problems))
        warn_of_leaks(works, self._problems)
        inner = [inner for work in works if work.sweep for inner in work.sweep.sample.values()]
        warn_of_short_steps([*works, *inner], self._problems)
