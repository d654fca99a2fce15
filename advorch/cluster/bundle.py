"""A pipeline's files as the flat folder that a ConfigMap can hold."""

import json
import re
from pathlib import Path
from typing import Final

from advorch.errors import UsageError
from advorch.spec.load import load_pipeline

ENTRY: Final = "run.yaml"
MOUNT: Final = "/etc/advorch"
KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")
LARGEST: Final = 1_000_000  # bytes of a ConfigMap, a little below what Kubernetes allows


def bundled(pipeline: Path, storage: str = "") -> dict[str, str]:
    """Every file by name, and one on top that says where the run finds its cluster and its storage."""
    spec = load_pipeline(pipeline)
    if not (storage or spec.storage):
        hint = "--storage s3://bucket/prefix, or `storage:` in the file"
        raise UsageError(f"{pipeline} names no storage, and a pod's disk ends with the pod", hint=hint)
    files = {_key(path, pipeline): path.read_text(encoding="utf-8") for path in spec.sources}
    if ENTRY in files:
        raise UsageError(f"a file of {pipeline} is called {ENTRY}, which is taken", hint="call it something else")
    files[ENTRY] = _overlay(pipeline.name, storage)
    size = sum(len(text.encode()) for text in files.values())
    if size > LARGEST:
        raise UsageError(f"{pipeline} and what it includes have {size:,} bytes; a ConfigMap holds {LARGEST:,}")
    return files


def _key(path: Path, pipeline: Path) -> str:
    if path.resolve().parent != pipeline.resolve().parent:
        hint = "a ConfigMap is one flat folder: put what is included beside the file"
        raise UsageError(f"{pipeline} includes {path}, which lies in another folder", hint=hint)
    if not KEY.fullmatch(path.name):
        raise UsageError(f"a ConfigMap cannot hold a file called {path.name!r}", hint="letters, digits and -._ only")
    return path.name


def _overlay(name: str, storage: str) -> str:
    """JSON strings are YAML too, so nothing in a name can end its quotes."""
    lines = ["version: 1", f"include: [{json.dumps(name)}]", "address: auto"]
    return "\n".join([*lines, *([f"storage: {json.dumps(storage)}"] if storage else [])]) + "\n"
