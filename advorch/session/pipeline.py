"""The Python API: load a file, look at its plan, run it, read what came out. The command line calls nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from advorch.errors import Problem
from advorch.plan.build import build_plan
from advorch.plan.plan import Plan
from advorch.plan.selection import Selection, forced
from advorch.registry.discovery import discover
from advorch.registry.registry import Registry
from advorch.session.result import Run
from advorch.session.running import Options, Running
from advorch.session.sweep_opening import choose_one, sweeps_of_plan
from advorch.session.sweeps import Sweep
from advorch.session.workspace import Workspace
from advorch.spec.load import load_pipeline
from advorch.spec.pipeline import PipelineSpec
from advorch.store.memo import FileDigests
from advorch.store.opening import open_store


def load(
    path: str | Path,
    *,
    profile: str = "",
    overrides: Sequence[str] | Mapping[str, object] = (),
    no_plugins: Sequence[str] = (),
    workspace: Workspace | None = None,
) -> "Pipeline":
    """Read and check a pipeline file; `overrides` are what `-S key=value` takes, or a mapping of the same."""
    lines = (
        [f"{key}={value}" for key, value in overrides.items()] if isinstance(overrides, Mapping) else list(overrides)
    )
    spec = load_pipeline(Path(path), profile=profile, overrides=lines)
    return Pipeline(spec, discover(disabled=no_plugins), workspace or Workspace.find(), tuple(no_plugins))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A checked file and the plugins that will serve it."""

    spec: PipelineSpec
    registry: Registry
    workspace: Workspace
    disabled: tuple[str, ...] = ()

    def plan(self, selection: Selection | None = None) -> "Planned":
        """Every cell with its place in the graph; all that can be wrong is found here."""
        digests = FileDigests(self.workspace.root / "file-digests.json")
        plan = build_plan(self.spec, self.registry, digests=digests, selection=selection or Selection())
        return Planned(plan, self)


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan that can be run."""

    plan: Plan
    pipeline: Pipeline

    @property
    def cells(self) -> list[str]:
        """The addresses of all cells, in an order in which they may run."""
        return list(self.plan.cells)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is allowed but looks like a mistake."""
        return tuple(self.plan.warnings)

    def sweeps(self) -> dict[str, Sweep]:
        """The sweeps by their cells, with the trials that there are: none where what a sweep reads is not done yet."""
        store = open_store(self.pipeline.spec.storage or self.pipeline.workspace.store_url)
        return sweeps_of_plan(self.plan, store, self.pipeline.workspace.runs)

    def sweep(self, name: str = "") -> Sweep:
        """The sweep of that stage or cell; a pipeline's only one needs no name."""
        return choose_one(self.sweeps(), name, among=str(self.pipeline.spec.path))

    def run(self, options: Options | None = None) -> Run:
        """Compute what is not cached; the exit code and every result are in the Run."""
        chosen = self._completed(options or Options())
        return Run(Running(self.plan, self.pipeline.registry, self.pipeline.workspace, chosen).run())

    def _completed(self, options: Options) -> Options:
        """What the options leave open is as the file and `load` have it."""
        spec, policy = self.pipeline.spec, options.policy
        policy = replace(
            policy,
            force=forced(policy.force, self.plan.labels()),
            deadline=spec.deadline if policy.deadline is None else policy.deadline,
            limits=policy.limits or spec.limits,
        )
        return replace(options, policy=policy, disabled=options.disabled or self.pipeline.disabled)
