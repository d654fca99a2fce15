"""Temporary folders that carry their owner's process id, so that those of the dead can be swept away."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from advorch.processes import birth

PREFIX = "advorch-"


def new_folder(prefix: str = PREFIX, parent: Path | None = None) -> Path:
    """A private folder of this process."""
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=parent))


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder for as long as it is needed."""
    folder = new_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(prefix: str = PREFIX, parent: Path | None = None) -> None:
    """Remove folders of this user whose process is gone."""
    for folder in (parent or Path(tempfile.gettempdir())).glob(f"{prefix}*-*"):
        pid = folder.name.removeprefix(prefix).partition("-")[0]
        if pid.isdigit() and _is_ours(folder) and birth(int(pid)) is None:
            shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    try:
        return folder.stat().st_uid == os.getuid()
    except FileNotFoundError:
        return False
