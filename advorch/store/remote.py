"""A store in a bucket: the same promises as a folder, by conditional writes and the server's clock."""

import hashlib
import os
import sys
from pathlib import Path

from advorch.store.api import DurableHook
from advorch.store.backend import GRACE, nothing
from advorch.store.bucket import Bucket
from advorch.store.claims import INTERVAL
from advorch.store.content import ContentStore
from advorch.store.layout import ATTEMPTS
from advorch.store.objects import FolderObjects
from advorch.store.remote_objects import BucketObjects
from advorch.store.remote_records import BucketRecords, probe


class RemoteStore(ContentStore):
    """Opening it makes sure that the server honours conditional writes; what is fetched is kept in a local cache."""

    def __init__(
        self,
        url: str,
        *,
        cache: Path | None = None,
        on_durable: DurableHook = nothing,
        interval: float = INTERVAL,
        grace: float = GRACE,
    ) -> None:
        bucket = Bucket(url)
        kept = (cache or user_cache()) / hashlib.sha256(url.encode()).hexdigest()[:16]
        records = BucketRecords(bucket, on_durable)
        objects = BucketObjects(bucket, FolderObjects(kept), kept, on_durable)
        super().__init__(url, records, objects, scratch=kept / ATTEMPTS, interval=interval, grace=grace)
        probe(bucket)


def user_cache() -> Path:
    """Where this user's programs keep what can be fetched again."""
    usual = Path("~/Library/Caches" if sys.platform == "darwin" else "~/.cache").expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or usual) / "advorch"
