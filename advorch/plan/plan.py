"""A plan: every cell in order, and how each is settled once what it reads is done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from advorch.artifacts import Artifact, DataInput
from advorch.canonical import Json
from advorch.errors import Problem
from advorch.plan.cells import Bound, BoundArtifact, Cell, PortSource, Settled, Skipped, Source
from advorch.plan.content_check import ContentCheck
from advorch.plan.keys import Surroundings, action_key, content_digest, key_parts, runtime
from advorch.plan.metrics import Done, Reads, holds, read_from
from advorch.plan.parameters import Checked, ParameterCheck
from advorch.plan.pinning import pinned
from advorch.plan.problems import Problems
from advorch.plan.scope import read
from advorch.plan.sweep import Search, Sweep, further_ports
from advorch.plan.sweep_keys import result_parts, search_parts
from advorch.plan.threat import ThreatCheck
from advorch.plan.work import Work, blame_for
from advorch.seeds import cell_seed
from advorch.spec.nodes import Located, MapNode
from advorch.spec.pipeline import PipelineSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What checked the cells when the plan was built, and checks the rest when they settle."""

    checks: ParameterCheck
    contents: ContentCheck
    threats: ThreatCheck
    reads: Mapping[str, Reads]
    params: Mapping[str, Json]
    logged: frozenset[str]
    refit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """A cell that goes on where another stopped: `origin` says from what, `begin` lays its checkpoint under a key."""

    origin: str
    begin: Callable[[str], None]


class Plan:
    """All cells in topological order; `reuse` holds those that a selection leaves to the cache."""

    def __init__(self, spec: PipelineSpec, works: Mapping[str, Work], tools: Tools, *, reuse: frozenset[str]) -> None:
        self.spec = spec
        self.cells: Mapping[str, Cell] = {address: work.cell for address, work in works.items()}
        self.reuse = reuse
        self.warnings: tuple[Problem, ...] = spec.warnings
        self._works = works
        self._tools = tools
        self._idle: set[str] = set()
        self._continued: dict[str, Continuation] = {}

    @cached_property
    def _around(self) -> Surroundings:
        return Surroundings(sources=self._tools.contents.sources, runtime=runtime())

    @property
    def params(self) -> Mapping[str, Json]:
        """The values of the pipeline's `params:`."""
        return self._tools.params

    def logged_models(self) -> tuple[str, ...]:
        """The cells whose models are to be registered: those that the file names, else those that no cell takes."""
        return tuple(address for address in self.cells if address in self._tools.logged)

    def origin(self, address: str) -> Located:
        """The parameters of a cell as they were written, each with its mark; what is not there is a default."""
        return self._works[address].located

    def written(self, address: str) -> MapNode | None:
        """The `with:` of a cell's stage as it stands in the file."""
        return self._works[address].draft.stage.with_

    def labels(self) -> dict[str, dict[str, Mapping[str, str]]]:
        """The cells of every stage, each with its label on every axis."""
        found: dict[str, dict[str, Mapping[str, str]]] = {}
        for address, work in self._works.items():
            found.setdefault(work.cell.stage, {})[address] = work.draft.labels
        return found

    def inside(self, address: str) -> tuple[Cell, ...]:
        """The cells of a trial of a sweep, as one was tried; of any other cell itself."""
        work = self._works[address]
        return tuple(inner.cell for inner in work.sweep.sample.values()) if work.sweep else (work.cell,)

    def nested(self, address: str) -> tuple[str, ...]:
        """The ids of the components named in a cell's parameters, as far as those are known."""
        work = self._works[address]
        if work.sweep:
            inner = [
                item for found in work.sweep.sample.values() if found.checked for item in found.checked.everything()
            ]
            return tuple(dict.fromkeys(item.component.id for _, item in inner))
        checked = work.checked
        found = [item.component.id for path, item in checked.everything() if path] if checked else []
        return tuple(dict.fromkeys(found))

    def continue_at(self, address: str, continuation: Continuation) -> None:
        """Let a cell begin with a checkpoint of another; its result is its own, for it has a key of its own."""
        self._continued[address] = continuation

    def settle(self, address: str, done: Done) -> Settled | Skipped:
        """Everything that is decided about a cell once all that it waits for has ended.

        `done` maps a finished cell to its manifest, or to None if it failed or was skipped. A parameter that turns
        out to be invalid raises InvalidPipeline.
        """
        if not self._tools.contents.reads:
            raise ValueError("a plan that was made without reading data has no keys")
        settled = self._settle(self._works[address], done)
        (self._idle.add if isinstance(settled, Skipped) and not settled.failed else self._idle.discard)(address)
        return settled

    def _settle(self, work: Work, done: Done) -> Settled | Skipped:
        cell = work.cell
        lost = sorted(before for before in cell.after if done.get(before) is None)
        if lost:
            return self._without(cell, lost)
        problems = Problems()
        go = self._go(work, done, problems)
        problems.check()
        if not go:
            return Skipped(cell=cell, reason="`when` is false")
        inputs, missing = _bind(cell, done)
        lacking = next((source for source in missing if source.cell in cell.after), None)
        if lacking:
            return Skipped(cell=cell, reason=f"'{lacking.cell}' has no output '{lacking.port}'", failed=True)
        starved = next((port for port, bound in inputs.items() if cell.inputs[port] and not bound), None)
        if starved:
            return Skipped(cell=cell, reason=f"nothing reached the port '{starved}': no cell succeeded", failed=True)
        if work.sweep:
            return self._searched(work, inputs, _addresses(missing), done)
        return self._keyed(work, self._parameters(work, done, problems), inputs, _addresses(missing))

    def _searched(
        self, work: Work, inputs: Mapping[str, tuple[Bound, ...]], missing: tuple[str, ...], done: Done
    ) -> Settled:
        """A sweep: its key names the result, and the key of its search outlives the length of it."""
        cell, sweep, tune = work.cell, work.cell.component, work.tune
        if work.sweep is None or not isinstance(sweep, Sweep):
            raise TypeError(f"{cell.address} is no sweep")
        parts = search_parts(self.spec, work, inputs, done, self._around, self._tools.contents)
        key = action_key(parts)
        pin = pinned(self.spec.pins.get(cell.address), key, tune.mark)
        whole = result_parts(parts, sweep, tune, pin)
        search = Search(
            key=key, pin=pin, sweep=sweep, planner=work.sweep.planner, done=done,
            cells=tuple(inner.cell for inner in work.sweep.sample.values()),
        )  # fmt: skip
        return Settled(
            cell=cell, params=cell.params, inputs=inputs, key=action_key(whole), parts=whole,
            seed=cell_seed(self.spec.seed, sweep.id, cell.seed, self._tools.refit), missing=missing, search=search,
        )  # fmt: skip

    def _without(self, cell: Cell, lost: list[str]) -> Skipped:
        """A cell is as innocent as what it lacks: only where all of that was skipped on purpose has nothing failed."""
        failed = [before for before in lost if before not in self._idle]
        if failed:
            return Skipped(cell=cell, reason=f"'{failed[0]}' has no result", failed=True)
        return Skipped(cell=cell, reason=f"'{lost[0]}' was skipped")

    def _go(self, work: Work, done: Done, problems: Problems) -> bool | None:
        when = self._tools.reads[work.cell.stage].when
        if work.when is not None or when is None:
            return work.when
        return holds(when, replace(work.draft.scope, read_metric=read_from(done)), problems)

    def _parameters(self, work: Work, done: Done, problems: Problems) -> Checked:
        """The parameters that were known, or those that are now that metrics are."""
        if work.checked and not work.open:
            return work.checked
        node = work.draft.stage.with_
        scope = replace(work.draft.scope, read_metric=read_from(done))
        located = read(node, scope, problems) if node else Located({})
        problems.check()
        blame = blame_for(work.draft.stage, located or Located({}), problems)
        values = located.value if located and isinstance(located.value, Mapping) else {}
        checked = self._tools.checks.check(work.cell.component, values, blame)
        if checked:
            self._tools.threats.follow(work.cell, checked)
            self._tools.threats.check(work.cell, checked, blame)
        problems.check()
        if checked is None:
            raise AssertionError("parameters are refused without a problem")
        return checked

    def _keyed(
        self, work: Work, checked: Checked, inputs: Mapping[str, tuple[Bound, ...]], missing: tuple[str, ...]
    ) -> Settled:
        cell = work.cell
        seed = cell_seed(self.spec.seed, cell.component.id, cell.seed, self._tools.refit)
        problems = Problems()
        contents = self._tools.contents.nested(checked, work.blame(problems))
        problems.check()
        parts = key_parts(
            checked,
            {port: [content_digest(bound) for bound in found] for port, found in inputs.items()},
            seed=seed,
            resources=cell.resources,
            contents=contents or {},
            around=self._around,
        )
        if continuation := self._continued.get(cell.address):
            parts["continues"] = continuation.origin
            continuation.begin(action_key(parts))
        return Settled(
            cell=cell,
            params=checked.plain,
            inputs=inputs,
            key=action_key(parts),
            parts=parts,
            seed=seed,
            missing=missing,
        )


def _bind(cell: Cell, done: Done) -> tuple[dict[str, tuple[Bound, ...]], list[PortSource]]:
    """Inputs with their artifacts, and the sources that have none."""
    missing: list[PortSource] = []
    inputs: dict[str, tuple[Bound, ...]] = {}
    for port, sources in cell.inputs.items():
        found = [(source, _bound(source, done)) for source in sources]
        inputs[port] = tuple(bound for _, several in found for bound in several)
        missing += [source for source, several in found if not several and isinstance(source, PortSource)]
    return inputs, missing


def _addresses(sources: list[PortSource]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(source.cell for source in sources))


def _bound(source: Source, done: Done) -> list[Bound]:
    """What stands behind a source: nothing, one thing, or one for each winner of a sweep."""
    if isinstance(source, DataInput):
        return [source]
    manifest = done.get(source.cell)
    outputs: Mapping[str, Artifact] = manifest.outputs if manifest else {}
    ports = [source.port, *further_ports(source.port, outputs)] if source.every else [source.port]
    return [BoundArtifact(cell=source.cell, port=port, artifact=outputs[port]) for port in ports if port in outputs]
