"""File digests remembered between runs, so that a data set is hashed once."""

import hashlib
import json
import logging
import os
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

log = logging.getLogger(__name__)

FORMAT = "digests/1"
_RACY = 2.0  # a file younger than this may change again within one tick of its time stamp

Entry = tuple[int, int, int, str]


class FileDigests:
    """Sha256 by path, size, time of change and inode; what is remembered in a damaged file is computed again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Entry] | None = None
        self._lock = Lock()

    def digest(self, file: Path) -> str:
        """Sha256 of one file's bytes."""
        return self.digests([file])[file]

    def digests(self, files: Iterable[Path]) -> dict[Path, str]:
        """Of many files, remembering all that is new in one write."""
        with self._lock:
            known, fresh, found = self._remembered(), {}, {}
            for file in files:
                entry = _stamp(file)
                name = os.path.realpath(file)
                if known.get(name, ())[:3] == entry:
                    found[file] = known[name][3]
                    continue
                found[file] = _hash(file)
                if _settled(file, entry):
                    fresh[name] = (*entry, found[file])
            if fresh:
                self._remember(fresh)
            return found

    def _remembered(self) -> dict[str, Entry]:
        if self._known is None:
            self._known = _read(self._path)
        return self._known

    def _remember(self, fresh: dict[str, Entry]) -> None:
        """Merge with what other processes remembered meanwhile; the last of two at once costs the other a hash."""
        self._known = _read(self._path) | fresh
        text = json.dumps({"format": FORMAT, "files": self._known}, separators=(",", ":"))
        temporary = self._path.with_name(f".{self._path.name}-{uuid.uuid4().hex}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(text)
            temporary.replace(self._path)
        except OSError as error:
            log.warning("file digests are not remembered: cannot write %s: %s", self._path, error.strerror)


def _stamp(file: Path) -> tuple[int, int, int]:
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def _settled(file: Path, before: tuple[int, int, int]) -> bool:
    """Whether a file was left alone while it was hashed, and long enough before that a change would show."""
    return _stamp(file) == before and time.time() - before[1] / 1e9 > _RACY


def _hash(file: Path) -> str:
    with file.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()


def _read(path: Path) -> dict[str, Entry]:
    try:
        plain = json.loads(path.read_bytes())
        if plain["format"] != FORMAT:
            return {}
        return {name: _entry(*values) for name, values in plain["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _entry(size: int, mtime: int, inode: int, digest: str) -> Entry:
    return int(size), int(mtime), int(inode), str(digest)
