"""Records as files in a folder: created by link, swapped by rename, never locked."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from advorch.errors import StoreError
from advorch.store.api import DurableHook
from advorch.store.atomic import link_new, make_folder, refusals, sync_folder, temporary, write_synced
from advorch.store.backend import Entry, Seen, nothing
from advorch.store.layout import CLAIMS, FLAGS, QUARANTINE

_PATIENCE = 100


class FolderRecords:
    """`advorch.store.backend.Records` on a file system; opening it touches nothing."""

    def __init__(self, root: Path, on_durable: DurableHook = nothing) -> None:
        self._root = root
        self._hook = on_durable

    def peek(self, name: str) -> Seen | None:
        with refusals(self._root):
            return _peek(self._root / name)

    def exists(self, name: str) -> bool:
        with refusals(self._root):
            return (self._root / name).exists()

    def load(self, folder: str) -> Iterator[tuple[str, Seen]]:
        for entry in self.entries(folder):
            seen = self.peek(entry.name)
            if seen is not None:
                yield entry.name, seen

    def entries(self, folder: str) -> Iterator[Entry]:
        with refusals(self._root):
            for path, stat in walk(self._root / folder):
                yield Entry(path.relative_to(self._root).as_posix(), stat.st_size, stat.st_mtime)

    def create(self, name: str, data: bytes) -> bool:
        with refusals(self._root), self._written(name, data) as fresh, self._durable(name):
            return self._link(fresh, name)

    def swap(self, name: str, seen: Seen, data: bytes) -> bool:
        """Whoever renames the old record away may write the new one, if what he holds is what he saw."""
        return self.remove(name, seen) and self.create(name, data)

    def renew(self, name: str, seen: Seen, data: bytes) -> Seen | None:
        target = self._root / name
        with refusals(self._root), self._written(name, data) as fresh:
            if not _same(_peek(target), seen):
                return None
            renewed = _peek(fresh)
            fresh.replace(target)
            return renewed

    def remove(self, name: str, seen: Seen) -> bool:
        return self._take(name, seen, None)

    def delete(self, name: str) -> None:
        with refusals(self._root), self._durable(name, "remove."):
            (self._root / name).unlink(missing_ok=True)
            self._prune(self._root / name)

    def set_aside(self, name: str, seen: Seen) -> None:
        self._take(name, seen, self._root / QUARANTINE)

    def age(self, seen: Seen) -> float:
        return self.now() - seen.modified

    def now(self) -> float:
        """The file system's own clock, from a file just touched: a server's may differ from ours."""
        with refusals(self._root), temporary(self._root) as path:
            path.touch()
            return path.stat().st_mtime

    @contextmanager
    def _written(self, name: str, data: bytes) -> Iterator[Path]:
        with temporary(self._root) as fresh:
            if _lasting(name):
                write_synced(fresh, data)
            else:
                fresh.write_bytes(data)
            yield fresh

    def _link(self, fresh: Path, name: str) -> bool:
        target = self._root / name
        try:
            won = link_new(fresh, target)
        except FileNotFoundError:
            return self._link_in_new_folder(fresh, target)
        if won and _lasting(name):
            sync_folder(target.parent)
        return won

    def _link_in_new_folder(self, fresh: Path, target: Path) -> bool:
        """Another process may drop the folder because it is empty, between its making and our link."""
        for _ in range(_PATIENCE):
            with contextlib.suppress(FileNotFoundError):
                make_folder(target.parent)
                won = link_new(fresh, target)
                sync_folder(target.parent)
                return won
        raise StoreError(f"the folder of {target} vanishes as often as it is made", hint="is something cleaning it up?")

    def _take(self, name: str, seen: Seen, quarantine: Path | None) -> bool:
        """Rename a record away, look whether it is the one that was seen, and put it back if not."""
        target = self._root / name
        with refusals(self._root), temporary(self._root) as taken, self._durable(name, "remove."):
            try:
                target.rename(taken)
            except FileNotFoundError:
                return False
            if not _same(_peek(taken), seen):
                link_new(taken, target)
                return False
            if quarantine is not None:
                make_folder(quarantine)
                taken.rename(quarantine / f"{taken.name}-{target.name}")
            return True

    def _prune(self, gone: Path) -> None:
        """Drop a folder that became empty; another writer may need it again at once, and makes it."""
        with contextlib.suppress(OSError):
            gone.parent.rmdir()

    @contextmanager
    def _durable(self, name: str, what: str = "") -> Iterator[None]:
        kind = name.partition("/")[0].removesuffix("s")
        self._hook(f"{kind}.{what}before")
        yield
        self._hook(f"{kind}.{what}after")


def walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every file under a folder, in order; what vanishes meanwhile is left out."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from walk(Path(entry.path))
            continue
        with contextlib.suppress(FileNotFoundError):
            yield Path(entry.path), entry.stat(follow_symlinks=False)


def _lasting(name: str) -> bool:
    """Claims and flags speak of running processes: they need not outlive a power cut."""
    return not name.startswith((f"{CLAIMS}/", f"{FLAGS}/"))


def _peek(path: Path) -> Seen | None:
    try:
        with open(path, "rb", buffering=0) as file:
            stat = os.fstat(file.fileno())
            return Seen(data=file.readall(), version=f"{stat.st_ino}:{stat.st_mtime_ns}", modified=stat.st_mtime)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _same(now: Seen | None, then: Seen) -> bool:
    return now is not None and (now.version, now.data) == (then.version, then.data)
