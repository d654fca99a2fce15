"""From a file and flags to a plan: what every command on a pipeline begins with."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from advorch.session.workspace import Workspace

if TYPE_CHECKING:
    from advorch.plan.plan import Plan
    from advorch.plan.selection import Selection
    from advorch.registry.registry import Registry
    from advorch.spec.pipeline import PipelineSpec
    from advorch.store.api import Store

DIGESTS = "file-digests.json"


class Opened(NamedTuple):
    """A checked pipeline, the plugins that serve it, and its plan."""

    spec: "PipelineSpec"
    registry: "Registry"
    plan: "Plan"


def open_plan(
    file: Path,
    *,
    profile: str = "",
    overrides: Sequence[str] = (),
    no_plugin: Sequence[str] = (),
    selection: "Selection | None" = None,
    read_data: bool = True,
) -> Opened:
    """Read, check and plan a file; InvalidPipeline tells all that is wrong.

    Without reading data, files that are not there are no problem, and the plan has no keys.
    """
    from advorch.plan.build import build_plan
    from advorch.registry.discovery import discover
    from advorch.spec.load import load_pipeline
    from advorch.store.memo import FileDigests

    spec = load_pipeline(file, profile=profile, overrides=list(overrides))
    registry = discover(disabled=no_plugin)
    digests = FileDigests(Workspace.find().root / DIGESTS) if read_data else None
    return Opened(spec, registry, build_plan(spec, registry, digests=digests, selection=selection))


def store_of(spec: "PipelineSpec") -> "Store":
    """Where a pipeline's results are kept."""
    from advorch.store.opening import open_store

    return open_store(spec.storage or Workspace.find().store_url)
