"""Code that parameters name by an import path: found without importing anything."""

import errno
import importlib.util
from pathlib import Path


def source_files(target: str) -> list[Path]:
    """The module of `package.module:name`, or the whole package that it lies in."""
    top = target.partition(":")[0].partition(".")[0]
    found = importlib.util.find_spec(top)
    if found is None or not (found.origin or found.submodule_search_locations):
        raise FileNotFoundError(errno.ENOENT, f"no module called '{top}' can be imported")
    if found.submodule_search_locations:
        return sorted(path for folder in found.submodule_search_locations for path in Path(folder).rglob("*.py"))
    return [Path(str(found.origin))]
