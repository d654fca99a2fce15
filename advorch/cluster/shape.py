"""How large a cluster is to be and what runs on it: plain values, checked one by one."""

import re
from dataclasses import dataclass
from typing import Final

from advorch.errors import UsageError

NAME: Final = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")  # a label in DNS; KubeRay adds up to 24 characters to it
IMAGE: Final = re.compile(r"[a-z0-9][\w.:/@-]*", re.ASCII)
BUCKET: Final = re.compile(r"s3://[a-z0-9][a-z0-9.-]*(/[\w./-]*)?", re.ASCII)
MOST_WORKERS: Final = 1000


@dataclass(frozen=True, slots=True)
class Range:
    """Between how many and how many workers the autoscaler keeps."""

    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterShape:
    """One head that does no work, and two kinds of workers."""

    name: str = "advorch"
    image: str = ""
    cpu_workers: Range = Range(0, 4)
    gpu_workers: Range = Range(0, 8)
    gpus_per_worker: int = 1
    storage: str = ""


def range_of(text: str, option: str) -> Range:
    """`MIN:MAX`, as an option says it."""
    found = re.fullmatch(r"(\d{1,6}):(\d{1,6})", text, re.ASCII)
    if not found:
        raise UsageError(f"{option} {text!r} is not MIN:MAX", hint="two whole numbers, such as 0:8")
    least, most = int(found[1]), int(found[2])
    if least > most:
        raise UsageError(f"{option} {text}: the least, {least}, is more than the most, {most}")
    if most > MOST_WORKERS:
        raise UsageError(f"{option} {text}: more than {MOST_WORKERS} workers", hint="name a smaller most")
    return Range(least, most)


def check_shape(shape: ClusterShape) -> None:
    """Refuse what Kubernetes, Ray or a registry would refuse later and less clearly."""
    if not NAME.fullmatch(shape.name):
        hint = "at most 40 lower-case letters, digits and hyphens, a letter first, no hyphen last"
        raise UsageError(f"a cluster cannot be called {shape.name!r}", hint=hint)
    if shape.image and not IMAGE.fullmatch(shape.image):
        raise UsageError(f"{shape.image!r} is no container image", hint="such as registry.example.com/advorch:0.1.0")
    if shape.storage and not BUCKET.fullmatch(shape.storage):
        hint = "all nodes must reach it: s3://bucket/prefix"
        raise UsageError(f"{shape.storage!r} is no storage for a cluster", hint=hint)
    if shape.gpus_per_worker < 1:
        raise UsageError(f"--gpus-per-worker {shape.gpus_per_worker} is less than 1", hint="--gpu-workers 0:0 has none")
    if shape.cpu_workers.most + shape.gpu_workers.most == 0:
        raise UsageError("a cluster without workers does no work", hint="--cpu-workers 0:4")
