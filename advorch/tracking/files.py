"""Small files that are whole or absent, and names that are safe in a file system."""

import hashlib
import os
import re
import uuid
from pathlib import Path

_UNSAFE = re.compile(r"[^A-Za-z0-9._=,-]+")


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write beside the target, to the disk, then rename: a reader sees the old text or the new one."""
    beside = _beside(path)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def replace_text(path: Path, text: str) -> None:
    """The same without waiting for the disk: a crash of the machine, not of the process, may lose the text."""
    beside = _beside(path)
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}")


def safe_file_name(cell: str) -> str:
    """A cell's address as a file name: `attack[name=pgd]` is `attack.name=pgd`, and no two cells share one."""
    plain = cell.replace("[", ".").replace("]", "")
    name = _UNSAFE.sub("_", plain)[:120].lstrip(".")
    return name if name == plain else f"{name}-{hashlib.sha256(cell.encode()).hexdigest()[:6]}"


def log_file(folder: Path, cell: str) -> Path:
    """Where the printed output of a cell lies in a run's folder."""
    return folder / "logs" / f"{safe_file_name(cell)}.log"
