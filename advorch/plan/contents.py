"""What the files that parameters name contain: in a key it stands for where they lie."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from advorch.components import AnyComponent, Attack, Dataset, Model, no_files
from advorch.params import expand
from advorch.plan.parameters import Checked

Contents = Mapping[str, str]


class Digests(Protocol):
    """What the store remembers of files outside of it."""

    def digests(self, files: Iterable[Path], /) -> Mapping[Path, str]:
        """Content digests of files; OSError where there is none."""


def reads_files(checked: Checked) -> bool:
    """Whether anything outside of the parameters can matter."""
    return bool(checked.locations) or _lists_files(checked.component)


def contents(checked: Checked, digests: Digests) -> Contents:
    """Digests by name of everything that a component reads, names being relative to its locations.

    A dataset, model or attack says itself which files it reads; for any other component the locations are read whole.
    """
    roots = [expand(place.location) for place in checked.locations]
    files = [Path(path) for path in _files(checked, roots)]
    known = digests.digests(files)
    found: dict[str, str] = {}
    for path in files:
        found[_free(_relative(path, roots), found)] = known[path]
    return found


def _files(checked: Checked, roots: Sequence[Path]) -> Sequence[Path]:
    component = checked.component
    if isinstance(component, Dataset | Model | Attack) and _lists_files(component):
        return component.files(checked.model)
    return [path for root in roots for path in _inside(root)]


def _lists_files(component: AnyComponent) -> bool:
    return isinstance(component, Dataset | Model | Attack) and component.files is not no_files


def _inside(root: Path) -> list[Path]:
    """The file itself, or all files of a folder in order."""
    if not root.is_dir():
        return [root]
    return sorted(path for path in root.rglob("*") if path.is_file())


def _relative(path: Path, roots: Sequence[Path]) -> str:
    root = next((root for root in roots if path.is_relative_to(root) and path != root), None)
    return path.relative_to(root).as_posix() if root else path.name


def _free(name: str, taken: Mapping[str, str]) -> str:
    """A name that is not taken: two files of one name in different folders both count."""
    return (
        name
        if name not in taken
        else next(free for n in range(2, len(taken) + 3) if (free := f"{name}#{n}") not in taken)
    )
