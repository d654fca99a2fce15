"""Distributions that travel with a pipeline because the cluster does not have them: their modules and entry points."""

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from advorch.errors import UsageError

FACTS = ("METADATA", "entry_points.txt")
LEFT_OUT = frozenset({"__pycache__"})


def shipped(names: Sequence[str]) -> dict[Path, Path]:
    """Where each file of these distributions goes in the driver's folder, which stands first on every search path."""
    return {target: source for name in names for target, source in _files(_found(name))}


def _found(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise UsageError(f"no distribution '{name}' is installed here", hint="names: advorch plugin list") from error


def _files(dist: Distribution) -> Iterator[tuple[Path, Path]]:
    """What the installer put down, and the packages of the entry points: an editable install puts down a pointer."""
    site = Path(str(dist.locate_file("")))
    for file in dist.files or ():
        if ".." not in file.parts and file.suffix != ".pth" and ".dist-info" not in file.parts[0]:
            yield from _wanted(Path(file), Path(str(file.locate())))
    for package in {entry.module.partition(".")[0] for entry in dist.entry_points}:
        yield from _package(package)
    facts = f"{re.sub(r'[-_.]+', '_', dist.name)}-{dist.version}.dist-info"
    for name in FACTS:
        yield from _wanted(Path(facts, name), site / facts / name)


def _package(name: str) -> Iterator[tuple[Path, Path]]:
    found = find_spec(name)
    for place in (found and found.submodule_search_locations) or ():
        folder = Path(place)
        for path in sorted(folder.rglob("*")):
            yield from _wanted(name / path.relative_to(folder), path)
    if found and found.origin and not found.submodule_search_locations:
        yield from _wanted(Path(Path(found.origin).name), Path(found.origin))


def _wanted(target: Path, source: Path) -> Iterator[tuple[Path, Path]]:
    if source.is_file() and not LEFT_OUT & set(target.parts):
        yield target, source
