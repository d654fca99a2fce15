"""What a Python file says: its imports, and its top-level statements with the names that they bind and read."""

import ast
import hashlib
import importlib.machinery
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
_WORD = re.compile(r"[A-Za-z_]\w*")
_LONGEST_ANNOTATION = 100
_BY_STRING = ("import_module", "__import__")  # imports that no reader of the source can follow


@dataclass(frozen=True, slots=True)
class Import:
    """`from {level dots}{module} import {names}`, or `import {module}` where there are no names."""

    level: int
    module: str
    names: tuple[str, ...]

    def target(self, importer: str, is_package: bool) -> str:
        """The absolute name of the module that the names are taken from."""
        if not self.level:
            return self.module
        parts = importer.split(".")
        base = parts[: len(parts) - self.level + (1 if is_package else 0)]
        return ".".join([*base, self.module] if self.module else base)


@dataclass(frozen=True, slots=True)
class Code:
    """One file: its digest and everything that it imports anywhere, function bodies included."""

    digest: str
    imports: tuple[Import, ...] = ()
    by_string: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """One statement at the top of a module: its text, the names that it reads and what it imports."""

    digest: str
    reads: frozenset[str]
    imports: tuple[Import, ...]
    by_string: bool


@dataclass(frozen=True, slots=True)
class Pieces:
    """A module cut into statements: those that bind a name, by name, and those that bind none."""

    bound: Mapping[str, tuple[Piece, ...]]
    loose: tuple[Piece, ...]


def read_digest(path: str) -> str:
    """Sha256 of a file's bytes."""
    return _sha(_bytes(path))


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_code(path: str) -> Code:
    """A whole file."""
    content = _bytes(path)
    tree = _parse(path, content)
    text = content.decode("utf-8", "replace") if tree else ""
    return Code(_sha(content), tuple(_imports(tree.body)) if tree else (), _is_by_string(text))


def _parse(path: str, content: bytes) -> ast.Module | None:
    """None for what is no Python source, or cannot be parsed: its bytes alone count."""
    if not path.endswith(tuple(importlib.machinery.SOURCE_SUFFIXES)):
        return None
    try:
        return ast.parse(content)
    except (SyntaxError, ValueError):
        return None


def _is_by_string(text: str) -> bool:
    return any(word in text for word in _BY_STRING)


def _imports(body: Iterable[ast.AST]) -> Iterator[Import]:
    """Every import statement below; what stands under TYPE_CHECKING never runs."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (Import(0, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield Import(node.level, node.module or "", tuple(alias.name for alias in node.names))
        elif isinstance(node, ast.If) and _is_typing_only(node.test):
            yield from _imports(node.orelse)
        else:
            for block in _BLOCKS:
                yield from _imports(getattr(node, block, ()))


def _is_typing_only(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def read_pieces(path: str) -> Pieces:
    """A file cut into its statements."""
    content = _bytes(path)
    tree = _parse(path, content)
    lines = content.decode("utf-8", "replace").splitlines()
    bound: defaultdict[str, list[Piece]] = defaultdict(list)
    loose = []
    for node in tree.body if tree else ():
        names = dict(_binds(node, lines))
        for name, piece in names.items():
            bound[name].append(piece)
        if not names and not _is_docstring(node):
            loose.append(_piece(node, lines))
    return Pieces({name: tuple(several) for name, several in bound.items()}, tuple(loose))


def _binds(node: ast.stmt, lines: list[str]) -> Iterator[tuple[str, Piece]]:
    """The names that a statement gives a value; each imported name is a piece of its own."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            yield (alias.asname or alias.name).split(".")[0], _imported(node, alias)
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name, _piece(node, lines)
    elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [leaf.id for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)]
        plain = all(isinstance(target, (ast.Name, ast.Tuple, ast.List)) for target in targets)
        piece = _piece(node, lines)
        yield from ((name, piece) for name in names if plain)


def _imported(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> Piece:
    if isinstance(node, ast.Import):
        found = Import(0, alias.name, ())
    else:
        found = Import(node.level, node.module or "", (alias.name,))
    return Piece(_sha(repr(found).encode()), frozenset(), (found,), by_string=False)


def _piece(node: ast.stmt, lines: list[str]) -> Piece:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    text = "\n".join(lines[first - 1 : node.end_lineno])
    reads = frozenset(leaf.id for leaf in ast.walk(node) if isinstance(leaf, ast.Name))
    return Piece(_sha(text.encode()), reads | _quoted(node), tuple(_imports([node])), _is_by_string(text))


def _quoted(node: ast.stmt) -> frozenset[str]:
    """Names in annotations that are written as strings; a word too many does no harm."""
    texts = [leaf.value for leaf in ast.walk(node) if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)]
    return frozenset(word for text in texts if len(text) < _LONGEST_ANNOTATION for word in _WORD.findall(text))


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
