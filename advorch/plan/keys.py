"""The action key: everything that decides a cell's outputs, and nothing else.

Left out on purpose: names and addresses, retries, timeouts, other resources, limits, secrets, the profile and time.
"""

import importlib.metadata
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from advorch.artifacts import DataInput
from advorch.canonical import Json, canonical, digest
from advorch.components import AnyComponent
from advorch.plan.cells import Bound, threads_of, world_size
from advorch.plan.complaints import Path, dotted
from advorch.plan.contents import Contents
from advorch.plan.parameters import Checked
from advorch.spec.pipeline import ResourceSpec

KEY_SCHEMA = "advorch-key/1"
DATA_SCHEMA = "advorch-data/1"

SourceDigest = Callable[[AnyComponent], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a result depends on beside its stage: the code that runs, and what it runs in."""

    sources: SourceDigest
    runtime: Mapping[str, Json]


def runtime() -> dict[str, Json]:
    """The interpreter and the torch, to the minor version; read from the distribution: torch is not imported."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, "torch": ".".join(importlib.metadata.version("torch").split(".")[:2])}


def action_key(parts: Mapping[str, Json]) -> str:
    """The fingerprint of the parts."""
    return digest(parts)


def key_parts(
    checked: Checked,
    inputs: Mapping[str, Sequence[str]],
    *,
    seed: int,
    resources: ResourceSpec,
    contents: Mapping[str, Contents],
    around: Surroundings,
) -> dict[str, Json]:
    """Named parts, each of which can be told apart when `explain` asks what differs."""
    return {
        "schema": KEY_SCHEMA,
        "component": checked.component.id,
        "sources": {item.component.id: around.sources(item.component) for _, item in checked.everything()},
        "params": checked.hashed,
        "contents": contents,
        "inputs": {port: list(inputs[port]) for port in sorted(inputs)},
        "seed": seed,
        "device": "gpu" if resources.gpus > 0 else "cpu",
        "threads": threads_of(resources),
        "workers": world_size(checked.component, resources),
        "runtime": around.runtime,
    }


def content_digest(bound: Bound) -> str:
    """What an input holds, however it was made."""
    return bound.digest if isinstance(bound, DataInput) else bound.artifact.digest


def name_paths(found: Mapping[Path, Contents]) -> dict[str, Contents]:
    """Contents under the names of their paths; two paths that read alike stay apart."""
    named: dict[str, Contents] = {}
    for path, files in found.items():
        name = dotted(path) or "with"
        named[name if name not in named else canonical(path)] = files
    return named


def data_digest(checked: Checked, split: str, sources: SourceDigest, contents: Contents) -> str:
    """What one split of a dataset holds: the same wherever it lies."""
    return digest(
        {
            "schema": DATA_SCHEMA,
            "dataset": checked.component.id,
            "sources": {item.component.id: sources(item.component) for _, item in checked.everything()},
            "params": checked.hashed,
            "contents": contents,
            "split": split,
        }
    )
