"""Where Python modules lie and what is in them, found out without importing them."""

import functools
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from advorch.registry.statements import Code, Pieces, read_code, read_digest, read_pieces

Cache = dict[Any, Any]
T = TypeVar("T")

_SUFFIXES = (
    *importlib.machinery.SOURCE_SUFFIXES,
    *importlib.machinery.EXTENSION_SUFFIXES,
    *importlib.machinery.BYTECODE_SUFFIXES,
)


@dataclass(frozen=True, slots=True)
class Location:
    """A module's file, if it has one, and where its submodules lie, if it is a package."""

    file: str | None
    folders: tuple[str, ...] = ()

    @property
    def is_package(self) -> bool:
        return bool(self.folders)


class Modules:
    """Where modules lie and what is in them, looked at once; `cache` outlives it and is kept by time and size."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._places: dict[str, Location | None] = {}
        self._stamps: dict[str, tuple[str, int, int]] = {}

    def locate(self, module: str) -> Location | None:
        """The module's place, following the folders of its parents; only a top-level name asks the import system."""
        if module not in self._places:
            self._places[module] = self._find(module)
        return self._places[module]

    def code(self, path: str) -> Code:
        """The file as `Code`."""
        return self._read("code", read_code, path)

    def pieces(self, path: str) -> Pieces:
        """The file cut into statements."""
        return self._read("pieces", read_pieces, path)

    def digest(self, path: str) -> str:
        """Sha256 of the file's bytes."""
        return self._read("digest", read_digest, path)

    def once(self, question: str, answer: Callable[[], T]) -> T:
        """What no file's time tells, asked once for the life of the cache."""
        if question not in self._cache:
            self._cache[question] = answer()
        known: T = self._cache[question]
        return known

    def _find(self, module: str) -> Location | None:
        parent, _, name = module.rpartition(".")
        if not parent:
            return _locate_top(name)
        above = self.locate(parent)
        found = (_locate_in(folder, name) for folder in (above.folders if above else ()))
        return next((place for place in found if place), None)

    def _read(self, form: str, read: Callable[[str], T], path: str) -> T:
        key = (form, *self._stamp(path))
        if key not in self._cache:
            self._cache[key] = read(path)
        found: T = self._cache[key]
        return found

    def _stamp(self, path: str) -> tuple[str, int, int]:
        if path not in self._stamps:
            stat = os.stat(path)
            self._stamps[path] = (path, stat.st_mtime_ns, stat.st_size)
        return self._stamps[path]


def _locate_top(name: str) -> Location | None:
    loaded = sys.modules.get(name)
    spec = getattr(loaded, "__spec__", None) if loaded else None
    if spec is None and loaded is None:
        spec = importlib.util.find_spec(name)
    if spec is None:
        return None
    file = spec.origin if spec.has_location else None
    return Location(file, tuple(spec.submodule_search_locations or ()))


def _locate_in(folder: str, name: str) -> Location | None:
    base = os.path.join(folder, name)
    if os.path.isdir(base):
        file = next((file for suffix in _SUFFIXES if os.path.isfile(file := f"{base}/__init__{suffix}")), None)
        return Location(file, (base,))
    found = next((base + suffix for suffix in _SUFFIXES if os.path.isfile(base + suffix)), None)
    return Location(found) if found else None


@functools.lru_cache(maxsize=4096)
def parents(module: str) -> tuple[str, ...]:
    """The packages above a module, outermost first."""
    parts = module.split(".")
    return tuple(".".join(parts[:depth]) for depth in range(1, len(parts)))
