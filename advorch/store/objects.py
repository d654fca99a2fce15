"""Objects as read-only files under their digest."""

import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from advorch.artifacts import FileRecord
from advorch.errors import CorruptObject
from advorch.store.api import DurableHook
from advorch.store.atomic import (
    copy_hashed,
    hash_file,
    link_new,
    link_or_copy,
    make_folder,
    refusals,
    sync_file,
    sync_folder,
    temporary,
)
from advorch.store.backend import GRACE, Entry, nothing
from advorch.store.folder import walk
from advorch.store.layout import OBJECTS, QUARANTINE, object_name


class FolderObjects:
    """`advorch.store.backend.Objects` on a file system; opening it touches nothing."""

    def __init__(self, root: Path, on_durable: DurableHook = nothing) -> None:
        self._root = root
        self._hook = on_durable
        self._proven: dict[str, tuple[int, int, int]] = {}

    def put(self, path: Path) -> FileRecord:
        with refusals(self._root), temporary(self._root) as fresh:
            digest, size = copy_hashed(path, fresh)
            now = fresh.stat().st_mtime  # the store's clock
            if self.size(digest) != size or not _rejuvenated(self.path(digest), now):
                self._publish(fresh, digest)
            return FileRecord(digest, size)

    def adopt(self, fresh: Path, digest: str) -> None:
        """Take over a file on this file system whose digest is known, as a cache does: it may be lost again."""
        with refusals(self._root):
            fresh.chmod(0o444)
            make_folder(self.path(digest).parent)
            fresh.replace(self.path(digest))

    def size(self, digest: str) -> int | None:
        try:
            return os.stat(f"{self._root}/{object_name(digest)}").st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def lay_out(self, record: FileRecord, target: Path) -> None:
        with refusals(self._root):
            self._prove(record)
            link_or_copy(self.path(record.digest), target)

    def intact(self, digest: str) -> bool:
        with refusals(self._root):
            try:
                return hash_file(self.path(digest)) == digest
            except FileNotFoundError:
                return True  # what a gc took meanwhile is not corrupt

    def set_aside(self, digest: str) -> None:
        with refusals(self._root):
            make_folder(self._root / QUARANTINE)
            self._hook("quarantine.before")
            try:
                self.path(digest).rename(self._root / QUARANTINE / f"{digest}-{uuid.uuid4().hex}")
            except FileNotFoundError:
                return  # another reader was faster
            self._hook("quarantine.after")

    def entries(self) -> Iterator[Entry]:
        with refusals(self._root):
            for path, stat in walk(self._root / OBJECTS):
                yield Entry(path.name, stat.st_size, stat.st_mtime)

    def discard(self, entry: Entry) -> bool:
        """Out of sight first: a writer who finds it missing stores it again, one who found it made it young."""
        target = self.path(entry.name)
        with refusals(self._root), temporary(self._root) as taken:
            self._hook("discard.before")
            try:
                target.rename(taken)
            except FileNotFoundError:
                return False
            if taken.stat().st_mtime != entry.modified:
                link_new(taken, target)
                return False
            self._hook("discard.after")
            return True

    def tidy(self, folders: Iterable[str], before: float, *, dry: bool) -> int:
        old = [
            (path, stat) for folder in folders for path, stat in walk(self._root / folder) if stat.st_mtime <= before
        ]
        with refusals(self._root):
            for path, _ in [] if dry else old:
                path.unlink(missing_ok=True)
        return sum(stat.st_size for _, stat in old)

    def path(self, digest: str) -> Path:
        """Where an object lies or would lie."""
        return self._root / object_name(digest)

    def _publish(self, fresh: Path, digest: str) -> None:
        target = self.path(digest)
        fresh.chmod(0o444)
        sync_file(fresh)
        make_folder(target.parent)
        self._hook("object.before")
        fresh.rename(target)
        sync_folder(target.parent)
        self._hook("object.after")

    def _prove(self, record: FileRecord) -> None:
        """Compare the bytes with the digest, once a process for a file that does not change."""
        path = self.path(record.digest)
        try:
            stat = path.stat()
        except FileNotFoundError as error:
            raise CorruptObject(f"object {record.digest[:12]} is missing", hint=_HINT) from error
        proof = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if self._proven.get(record.digest) == proof and stat.st_size == record.size:
            return
        if stat.st_size != record.size or hash_file(path) != record.digest:
            self.set_aside(record.digest)
            raise CorruptObject(f"object {record.digest[:12]} does not match its digest", hint=_HINT)
        self._proven[record.digest] = proof


def _rejuvenated(path: Path, now: float) -> bool:
    """Keep an old object from a gc that runs now; False for one of another user, or gone: it is stored again."""
    try:
        if path.stat().st_mtime < now - GRACE / 2:
            os.utime(path)
    except (PermissionError, FileNotFoundError):
        return False
    return True


_HINT = "run again: what produced it is recomputed; the damaged file is kept in the store's quarantine folder"
