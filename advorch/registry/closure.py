"""Which files and statements a piece of code reaches within its own distribution."""

import importlib.metadata
import inspect
import os
import sysconfig
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from advorch.registry.modules import Modules, parents
from advorch.registry.plugin import GROUP
from advorch.registry.statements import Import, Piece


class Closure:
    """Everything reached from some starting points, by module.

    The module that describes components is taken by the statement: it names all of a plugin's components, and to
    edit one must not invalidate the others. Every other module is taken whole.
    """

    def __init__(self, owned: Callable[[str], bool], described: str, modules: Modules) -> None:
        self._owned = owned
        self._described = described
        self._modules = modules
        self._seen: set[tuple[str, str]] = set()
        self._sources: set[tuple[str, str]] = set()

    def sources(self) -> list[list[str]]:
        """Pairs of module and digest, in order; no paths, so that a place of installation does not count."""
        return sorted([module, digest] for module, digest in self._sources)

    def take_function(self, function: Any) -> bool:
        """Follow a plain function at the top of a module; False for anything that source cannot be found for."""
        function = inspect.unwrap(function)
        if not isinstance(function, types.FunctionType) or "<" in function.__qualname__:
            return False
        return self._take_definition(function.__module__, function.__name__)

    def take_class(self, params: type) -> bool:
        """Follow a class, and through the names it reads, its bases and helpers."""
        return self._take_definition(params.__module__, params.__qualname__)

    def _take_definition(self, module: str, name: str) -> bool:
        if module == self._described:
            return self._take_name(name.split(".", maxsplit=1)[0])
        if self._owned(module):
            self.take_module(module)
        return True

    def take_module(self, module: str) -> None:
        """Follow a module, its parents and its imports."""
        if not self._is_new("module", module):
            return
        for parent in parents(module):
            self.take_module(parent)
        if module == self._described:
            self._take_loose(module)
        else:
            self.take_whole(module)

    def take_whole(self, module: str) -> None:
        """Follow all statements of a module."""
        place = self._modules.locate(module)
        if place is None or place.file is None or not self._owned(module) or not self._is_new("whole", module):
            return
        code = self._modules.code(place.file)
        self._sources.add((module, code.digest))
        self._take_imports(module, code.imports, place.is_package)
        if code.by_string:
            self._take_package(module)

    def _take_package(self, module: str) -> None:
        """Something is imported by a string: any file of the package may be meant."""
        top = module.split(".", maxsplit=1)[0]
        place = self._modules.locate(top)
        for folder in place.folders if place and self._is_new("package", top) else ():
            for path in python_files(folder):
                self.take_whole(_module_name(top, os.path.relpath(path, folder)))

    def _take_imports(self, importer: str, imports: Iterable[Import], is_package: bool) -> None:
        for found in imports:
            target = found.target(importer, is_package)
            if self._owned(target):
                self._take_import(target, found.names)

    def _take_import(self, target: str, names: tuple[str, ...]) -> None:
        self.take_module(target)
        if target == self._described and (not names or "*" in names):
            self.take_whole(target)
        for name in names:
            if target == self._described:
                self._take_name(name)
            if name != "*" and self._modules.locate(f"{target}.{name}"):
                self._take_import(f"{target}.{name}", ())

    def _take_name(self, name: str) -> bool:
        """Follow what binds a name in the describing module; False where nothing visible does."""
        self.take_module(self._described)
        place = self._modules.locate(self._described)
        if place is None or place.file is None:
            return False
        pieces = self._modules.pieces(place.file).bound.get(name, ())
        if self._is_new("name", name):
            for piece in pieces:
                self._take_piece(piece, place.is_package)
        return bool(pieces)

    def _take_loose(self, module: str) -> None:
        """Statements that bind no name may do anything: they always count."""
        place = self._modules.locate(module)
        if place and place.file:
            for piece in self._modules.pieces(place.file).loose:
                self._take_piece(piece, place.is_package)

    def _take_piece(self, piece: Piece, is_package: bool) -> None:
        if not self._is_new("piece", piece.digest):
            return
        self._sources.add((self._described, piece.digest))
        self._take_imports(self._described, piece.imports, is_package)
        for name in piece.reads:
            self._take_name(name)
        if piece.by_string:
            self._take_package(self._described)

    def _is_new(self, form: str, name: str) -> bool:
        new = (form, name) not in self._seen
        self._seen.add((form, name))
        return new


class Owned:
    """Whether a module belongs to the distribution that a top-level package came with."""

    def __init__(self, top: str, modules: Modules) -> None:
        self._top = top
        self._modules = modules
        self._known: dict[str, bool] = {top: True, "advorch": False}  # of advorch, what matters is counted by itself

    def __call__(self, module: str) -> bool:
        top = module.split(".", maxsplit=1)[0]
        if top not in self._known:
            self._known[top] = self._is_neighbour(top)
        return self._known[top]

    def _is_neighbour(self, top: str) -> bool:
        folder = self._folder(self._top)
        if folder is None or folder != self._folder(top):
            return False
        recorded = self._modules.once(f"record of {self._top}", lambda: _recorded(self._top))
        if self._top in recorded:
            return top in recorded
        return folder not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}

    def _folder(self, top: str) -> str | None:
        place = self._modules.locate(top)
        if place is None:
            return None
        return os.path.dirname(place.folders[0] if place.folders else place.file or "") or None


def _recorded(top: str) -> frozenset[str]:
    """The top-level names that the installer recorded for the plugin; those of an editable install it does not know."""
    for entry in importlib.metadata.entry_points(group=GROUP):
        if entry.module.split(".")[0] == top and entry.dist is not None:
            return frozenset(file.parts[0].removesuffix(".py") for file in entry.dist.files or ())
    return frozenset()


def folder_digests(folder: Path, modules: Modules) -> dict[str, str]:
    """Every Python file below a folder, by relative path."""
    start = len(str(folder)) + 1
    return {path[start:].replace(os.sep, "/"): modules.digest(path) for path in python_files(str(folder))}


def python_files(folder: str) -> list[str]:
    """Paths of the Python files below a folder, in order."""
    found = (os.path.join(root, name) for root, _, names in os.walk(folder) for name in names)
    return sorted(path for path in found if path.endswith(".py"))


def _module_name(top: str, path: str) -> str:
    parts = [top, *path.removesuffix(".py").split(os.sep)]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
