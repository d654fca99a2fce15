"""Temporary folders that name their owner inside, so that those of the dead can be swept away and no others."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from advorch.processes import birth, this_place

PREFIX = "advorch-"
OWNER = ".advorch-owner"


def new_folder(prefix: str = PREFIX, parent: Path | None = None) -> Path:
    """A private folder of this process."""
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=parent))
    owner = {"place": this_place(), "pid": os.getpid(), "birth": birth(os.getpid())}
    (folder / OWNER).write_text(json.dumps(owner))
    return folder


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder for as long as it is needed."""
    folder = new_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(prefix: str = PREFIX, parent: Path | None = None) -> None:
    """Remove folders that a process of this place left behind when it was killed."""
    for folder in (parent or Path(tempfile.gettempdir())).glob(f"{prefix}*-*"):
        if _is_left_behind(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_left_behind(folder: Path) -> bool:
    try:
        owner = json.loads((folder / OWNER).read_text())
        return bool(owner["place"] == this_place() and birth(owner["pid"]) != owner["birth"])
    except (OSError, ValueError, KeyError, TypeError):
        return False  # not ours, or not whole: left alone
