"""Records in a bucket: created and replaced on conditions that the server checks."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import PurePosixPath

from advorch.errors import StoreError
from advorch.store.api import DurableHook
from advorch.store.backend import Entry, Seen, nothing
from advorch.store.bucket import Bucket
from advorch.store.layout import QUARANTINE

MARK = "store.json"
_READERS = 16
_PATIENCE = 5


def probe(bucket: Bucket) -> None:
    """Refuse a server that ignores conditions: two runs would overwrite each other's results."""
    mark = b'{"format": "store/1"}'
    created = bucket.put(MARK, mark, IfNoneMatch="*")
    ignored = created is not None and bucket.put(MARK, mark, IfNoneMatch="*") is not None
    if ignored or bucket.put(MARK, mark, IfMatch='"' + "0" * 32 + '"') is not None:
        hint = "use Amazon S3, a recent MinIO, Ceph or R2, or a folder on a shared file system"
        raise StoreError("the server ignores conditional writes (If-None-Match, If-Match)", hint=hint)


class BucketRecords:
    """`advorch.store.backend.Records` in a bucket: an ETag is a record's version."""

    def __init__(self, bucket: Bucket, on_durable: DurableHook = nothing) -> None:
        self._bucket = bucket
        self._hook = on_durable

    def peek(self, name: str) -> Seen | None:
        return self._bucket.get(name)

    def exists(self, name: str) -> bool:
        return self._bucket.head(name) is not None

    def load(self, folder: str) -> Iterator[tuple[str, Seen]]:
        names = [entry.name for entry in self.entries(folder)]
        with ThreadPoolExecutor(_READERS) as pool:
            for name, seen in zip(names, pool.map(self.peek, names), strict=True):
                if seen is not None:
                    yield name, seen

    def entries(self, folder: str) -> Iterator[Entry]:
        return self._bucket.listing(folder)

    def create(self, name: str, data: bytes) -> bool:
        with self._durable(name):
            for _ in range(_PATIENCE):
                if self._bucket.put(name, data, IfNoneMatch="*") is not None:
                    return True
                there = self._bucket.get(name)
                if there is not None:
                    return there.data == data  # a repeated request finds what its first try wrote
            return False

    def swap(self, name: str, seen: Seen, data: bytes) -> bool:
        return self.renew(name, seen, data) is not None

    def renew(self, name: str, seen: Seen, data: bytes) -> Seen | None:
        with self._durable(name):
            renewed = self._bucket.put(name, data, IfMatch=seen.version)
            if renewed is None:
                there = self._bucket.get(name)
                return there if there is not None and there.data == data else None
            return renewed

    def remove(self, name: str, seen: Seen) -> bool:
        """Not every server deletes on a condition: a last rewrite proves it is as seen, and outdates a thief's view."""
        if self.renew(name, seen, seen.data + b"\n") is None:
            return False
        self.delete(name)
        return True

    def delete(self, name: str) -> None:
        with self._durable(name, "remove."):
            self._bucket.delete(name)

    def set_aside(self, name: str, seen: Seen) -> None:
        self._bucket.put(f"{QUARANTINE}/{uuid.uuid4().hex}-{PurePosixPath(name).name}", seen.data)
        self.remove(name, seen)

    def age(self, seen: Seen) -> float:
        return (seen.clock or self.now()) - seen.modified

    def now(self) -> float:
        """The server's clock, as it dates its answers."""
        mark = self._bucket.head(MARK)
        if mark is None:  # somebody emptied the prefix
            probe(self._bucket)
            return self.now()
        return mark[1]

    @contextmanager
    def _durable(self, name: str, what: str = "") -> Iterator[None]:
        kind = name.partition("/")[0].removesuffix("s")
        self._hook(f"{kind}.{what}before")
        yield
        self._hook(f"{kind}.{what}after")
