"""Reads a file and everything that it includes into one tree."""

import os
from dataclasses import replace
from pathlib import Path

from advorch.errors import Problem, UsageError
from advorch.spec.codes import Code, problem
from advorch.spec.compose import MOST_NODES, compose, position, source_of
from advorch.spec.merge import merge
from advorch.spec.nodes import ListNode, MapNode, Mark, Node, Scalar, Source, walk
from advorch.spec.suggest import closest

LARGEST = 4 * 1024 * 1024
_MOST_FILES = 100


class _Unreadable(Exception):
    def __init__(self, code: Code, message: str, hint: str = "", mark: Mark | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.mark = mark


class Files:
    """The files of one pipeline; `sources` keeps the order in which they were met."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._nodes = 0
        self.sources: list[str] = []

    def entry(self, path: Path, text: str | None) -> MapNode | None:
        """The merged tree of a file, or None where nothing can be said of it."""
        if text is None:
            _must_exist(path)
        return self._file(path, text, None, ())

    def _file(self, path: Path, text: str | None, at: Mark | None, chain: tuple[Path, ...]) -> MapNode | None:
        """One file over what it includes; `at` is the entry that asks for it."""
        self.sources.append(str(path))
        try:
            content = _read(path) if text is None else _limited(path, text)
        except _Unreadable as bad:
            self._problems.append(problem(bad.code, bad.message, bad.mark or at or _start(path), bad.hint))
            return None
        root = compose(content, source_of(str(path), content), self._problems)
        if not isinstance(root, MapNode):
            self._no_map(path, root, content)
            return None
        self._nodes += sum(1 for _ in walk(root)) if at else 0
        return self._with_includes(root, path, (*chain, path))

    def _no_map(self, path: Path, root: Node | None, content: str) -> None:
        source = source_of(str(path), content)
        if root is not None and not (isinstance(root, Scalar) and root.value is None):
            self._problems.append(problem(Code.EMPTY, "a pipeline is a map of keys", root.mark, "write key: value"))
        elif not any(item.place and item.place.source == source.name for item in self._problems):
            hint = "begin the file with version: 1" if len(self.sources) == 1 else ""
            self._problems.append(problem(Code.EMPTY, "the file is empty", Mark(source, 1, 1, 1), hint))

    def _with_includes(self, root: MapNode, path: Path, chain: tuple[Path, ...]) -> MapNode:
        base: MapNode | None = None
        for scalar in self._includes(root):
            included = self._include(scalar, path, chain)
            if included is not None:
                base = merge(base, included) if base else included
        return replace(merge(base, root), mark=root.mark) if base else root

    def _includes(self, root: MapNode) -> list[Scalar]:
        """The entries that can be followed; the check of the shape complains of the others."""
        node = root.get("include")
        items = node.items if isinstance(node, ListNode) else (node,)
        texts = [item for item in items if isinstance(item, Scalar) and isinstance(item.value, str) and item.value]
        return [item for item in texts if "${" not in item.text]

    def _include(self, scalar: Scalar, path: Path, chain: tuple[Path, ...]) -> MapNode | None:
        target = _target(path, str(scalar.value))
        if target is None:
            self._problems.append(problem(Code.INCLUDE, "this names no file", scalar.mark, "write a relative path"))
            return None
        if circle := _circle(target, chain):
            self._problems.append(problem(Code.INCLUDE_CYCLE, f"files include each other: {circle}", scalar.mark))
            return None
        if len(self.sources) >= _MOST_FILES or self._nodes > MOST_NODES:
            message = f"more than {_MOST_FILES} files or {MOST_NODES:,} values are included"
            if not any(item.message == message for item in self._problems):
                self._problems.append(problem(Code.TOO_LARGE, message, scalar.mark))
            return None
        return self._file(target, None, scalar.mark, chain)


def _target(path: Path, written: str) -> Path | None:
    """The file that an entry of `include:` means, found beside the including file."""
    try:
        target = Path(os.path.normpath(path.parent / Path(written).expanduser()))
        target.resolve()
    except (RuntimeError, ValueError):  # nobody's home folder, or a zero byte
        return None
    return target


def _circle(target: Path, chain: tuple[Path, ...]) -> str:
    ends = [item.resolve() for item in chain]
    if target.resolve() not in ends:
        return ""
    return " -> ".join(item.name for item in [*chain[ends.index(target.resolve()) :], target])


def _must_exist(path: Path) -> None:
    if not path.exists():
        near = sorted(item.name for item in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
        hint = f"in {path.parent}: {', '.join(near[:10])}" if near else "name a pipeline file"
        raise UsageError(f"there is no file {path}", hint=hint)
    if not path.is_file():
        raise UsageError(f"{path} is not a file", hint="name a pipeline file")


def _start(path: Path) -> Mark:
    return Mark(Source(str(path), ()), 1, 1, 1)


def _limited(path: Path, text: str) -> str:
    if len(text) > LARGEST:
        raise _too_large(path)
    return text


def _too_large(path: Path) -> _Unreadable:
    return _Unreadable(
        Code.TOO_LARGE, f"{path.name} is larger than {LARGEST // 1024**2} MiB", "split it, or use a matrix"
    )


def _read(path: Path) -> str:
    """The text of a file, never more of it than is allowed."""
    try:
        if not path.is_file():
            raise _Unreadable(Code.INCLUDE, f"there is no file {path}", _meant(path))
        if path.stat().st_size > LARGEST:
            raise _too_large(path)
        with path.open("rb") as handle:
            content = handle.read(LARGEST + 1)
    except OSError as error:
        raise _Unreadable(Code.INCLUDE, f"{path} cannot be read: {error.strerror}") from error
    if len(content) > LARGEST:
        raise _too_large(path)
    return _decoded(path, content)


def _meant(path: Path) -> str:
    """The file beside the missing one whose name is nearest, and where files are looked for."""
    near = closest(path.name, (item.name for item in path.parent.glob("*.y*ml")))
    return (f"did you mean '{near}'? " if near else "") + "included files are found beside this file"


def _decoded(path: Path, content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        message, hint = "the file has a UTF-16 byte order mark", "save it as UTF-8 without a BOM"
        raise _Unreadable(Code.ENCODING, message, hint, _start(path))
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        mark = position(source_of(str(path), content.decode(errors="replace")), before, len(before))
        message = f"byte 0x{content[error.start]:02x} is not UTF-8"
        raise _Unreadable(Code.ENCODING, message, "save the file as UTF-8", mark) from error
