"""What travels to a cluster: the files beside a pipeline and those that it includes, and nothing that is large."""

import fnmatch
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from advorch.errors import UsageError
from advorch.session.shipping import shipped
from advorch.spec.pipeline import PipelineSpec

LARGEST = 64 * 2**20
MOST = 10_000
NAMED = 5
LEFT_OUT = frozenset({".git", ".hg", ".advorch", ".venv", "venv", "__pycache__", ".mypy_cache", ".ruff_cache", "data"})
IGNORE_FILES = frozenset({".gitignore", ".rayignore"})  # applied here; Ray would apply them again, to what git tracks


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Files by their place in the folder that travels; `pipeline` is the one that is run."""

    pipeline: Path
    files: Mapping[Path, Path]

    def digest(self) -> str:
        """The fingerprint of places and contents."""
        whole = hashlib.sha256()
        for place, file in sorted(self.files.items()):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            whole.update(f"{place.as_posix()}\0{content}\n".encode())
        return whole.hexdigest()

    def lay_out(self, into: Path) -> None:
        """Copy the files to their places below a folder."""
        for place, file in self.files.items():
            (into / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, into / place)


def pack(spec: PipelineSpec, exclude: Sequence[str] = (), ship: Sequence[str] = ()) -> Parcel:
    """The folder of a pipeline with its includes, as far as git does not ignore it, and distributions by name."""
    pipeline = spec.path.resolve()
    included = {path.resolve() for path in spec.sources} - {pipeline}
    root = Path(os.path.commonpath([pipeline.parent, *(path.parent for path in included)]))
    beside = (path for path in _beside(pipeline.parent) if not _is_left_out(path.relative_to(pipeline.parent), exclude))
    own = {pipeline, *included, *_counted(beside, pipeline.parent)}
    files = {file.relative_to(root): file for file in own} | shipped(ship)
    _check_size(files)
    return Parcel(pipeline=pipeline.relative_to(root), files=files)


def _beside(folder: Path) -> Iterator[Path]:
    """Regular files, none behind a link to a folder; git knows which are meant to be kept."""
    question = ["git", "-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        answer = subprocess.run(question, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        yield from _walk(folder)
        return
    if answer.returncode:
        yield from _walk(folder)
    else:
        yield from (path for name in answer.stdout.split("\0") if name and (path := folder / name).is_file())


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in LEFT_OUT]
        yield from (path for name in names if (path := Path(place) / name).is_file())


def _is_left_out(file: Path, exclude: Sequence[str]) -> bool:
    if LEFT_OUT & set(file.parts) or file.name in IGNORE_FILES:
        return True
    places = [parent.as_posix() for parent in (file, *file.parents)][:-1]
    return any(fnmatch.fnmatch(place, pattern.rstrip("/")) for place in places for pattern in exclude)


def _counted(files: Iterable[Path], folder: Path) -> Iterator[Path]:
    for number, file in enumerate(files):
        if number == MOST:
            hint = "keep the pipeline in a folder of its own, or leave folders out with --exclude PATTERN"
            raise UsageError(f"more than {MOST:,} files would travel with {folder}", hint=hint)
        yield file


def _check_size(files: Mapping[Path, Path]) -> None:
    sizes = {place: file.stat().st_size for place, file in files.items()}
    whole = sum(sizes.values())
    if whole > LARGEST:
        biggest = sorted(sizes, key=lambda place: -sizes[place])[:NAMED]
        named = ", ".join(f"{place} ({_mib(sizes[place])})" for place in biggest)
        raise UsageError(
            f"{_mib(whole)} would travel to the cluster, more than {_mib(LARGEST)}; the biggest: {named}",
            hint="leave them out with --exclude PATTERN or .gitignore: data are read where the stages run",
        )


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
