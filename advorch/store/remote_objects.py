"""Objects in a bucket, behind a local cache."""

import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from advorch.artifacts import FileRecord
from advorch.errors import CorruptObject
from advorch.store.api import DurableHook
from advorch.store.atomic import copy_hashed, hash_file, refusals, temporary
from advorch.store.backend import GRACE, Entry, nothing
from advorch.store.bucket import Bucket
from advorch.store.layout import OBJECTS, QUARANTINE, object_name
from advorch.store.objects import FolderObjects

_FRESH = 60.0


class BucketObjects:
    """`advorch.store.backend.Objects` in a bucket, with a folder of the same shape as cache."""

    def __init__(self, bucket: Bucket, cache: FolderObjects, folder: Path, on_durable: DurableHook = nothing) -> None:
        self._bucket = bucket
        self._cache = cache
        self._folder = folder
        self._hook = on_durable
        self._sizes: dict[str, int] = {}
        self._listed: dict[str, float] = {}

    def put(self, path: Path) -> FileRecord:
        """The copy that was hashed is what is uploaded and then cached, whatever the cache held before."""
        with refusals(self._folder), temporary(self._folder) as fresh:
            record = FileRecord(*copy_hashed(path, fresh))
            if not self._young(record):
                self._hook("object.before")
                self._bucket.upload(fresh, object_name(record.digest))
                self._hook("object.after")
            self._cache.adopt(fresh, record.digest)
        self._sizes[record.digest] = record.size
        return record

    def size(self, digest: str) -> int | None:
        """From a listing of the object's neighbours, which serves whole pipelines in few requests."""
        shard = object_name(digest)[: len(OBJECTS) + 3]
        if time.monotonic() - self._listed.get(shard, -_FRESH) >= _FRESH:
            self._list(shard)
        if digest not in self._sizes:
            there = self._bucket.head(object_name(digest))
            if there is not None:
                self._sizes[digest] = there[0].size
        return self._sizes.get(digest)

    def lay_out(self, record: FileRecord, target: Path) -> None:
        if not self._laid_out_from_cache(record, target):
            self._download(record)
            self._cache.lay_out(record, target)

    def intact(self, digest: str) -> bool:
        with refusals(self._folder), temporary(self._folder) as fresh:
            return not self._bucket.download(object_name(digest), fresh) or hash_file(fresh) == digest

    def set_aside(self, digest: str) -> None:
        self._hook("quarantine.before")
        if self._bucket.copy(object_name(digest), f"{QUARANTINE}/{digest}-{uuid.uuid4().hex}"):
            self._bucket.delete(object_name(digest))
        self._sizes.pop(digest, None)
        self._hook("quarantine.after")

    def entries(self) -> Iterator[Entry]:
        for entry in self._bucket.listing(OBJECTS):
            yield Entry(PurePosixPath(entry.name).name, entry.size, entry.modified)

    def discard(self, entry: Entry) -> bool:
        there = self._bucket.head(object_name(entry.name))
        if there is None or there[0].modified != entry.modified:
            return False
        self._hook("discard.before")
        self._bucket.delete(object_name(entry.name))
        self._cache.path(entry.name).unlink(missing_ok=True)
        self._sizes.pop(entry.name, None)
        self._hook("discard.after")
        return True

    def tidy(self, folders: Iterable[str], before: float, *, dry: bool) -> int:
        folders = tuple(folders)
        aside = list(self._bucket.listing(QUARANTINE)) if QUARANTINE in folders else []
        old = [entry for entry in aside if entry.modified <= before]
        for entry in [] if dry else old:
            self._bucket.delete(entry.name)
        return sum(entry.size for entry in old) + self._cache.tidy(folders, before, dry=dry)

    def _young(self, record: FileRecord) -> bool:
        """Whether the bucket has it, and no gc will take it before a manifest names it."""
        there = self._bucket.head(object_name(record.digest))
        return there is not None and there[0].size == record.size and there[1] - there[0].modified <= GRACE / 2

    def _laid_out_from_cache(self, record: FileRecord, target: Path) -> bool:
        """A damaged cached copy says nothing of the object: it is set aside in the cache alone."""
        if self._cache.size(record.digest) != record.size:
            return False
        try:
            self._cache.lay_out(record, target)
        except CorruptObject:
            return False
        return True

    def _list(self, shard: str) -> None:
        for digest in [digest for digest in list(self._sizes) if object_name(digest).startswith(shard)]:
            del self._sizes[digest]
        self._sizes |= {PurePosixPath(entry.name).name: entry.size for entry in self._bucket.listing(shard)}
        self._listed[shard] = time.monotonic()

    def _download(self, record: FileRecord) -> None:
        name = object_name(record.digest)
        with refusals(self._folder), temporary(self._folder) as fresh:
            if not self._bucket.download(name, fresh):
                self._sizes.pop(record.digest, None)
                raise CorruptObject(f"object {record.digest[:12]} is missing", hint=_HINT)
            if hash_file(fresh) != record.digest:
                self.set_aside(record.digest)
                raise CorruptObject(f"object {record.digest[:12]} does not match its digest", hint=_HINT)
            self._cache.adopt(fresh, record.digest)


_HINT = "run again: what produced it is recomputed; the damaged object is kept under the store's quarantine/"
