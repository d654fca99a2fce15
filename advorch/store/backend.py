"""What a store is built on: small records that can be compared and swapped, and objects by digest."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from advorch.artifacts import FileRecord

GRACE = 3600.0


def nothing(_name: str) -> None:
    """The hook of durable operations that lets them pass."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a listing; `modified` is by the store's clock."""

    name: str
    size: int
    modified: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A record as it was read; `version` tells whether it has changed since."""

    data: bytes
    version: str
    modified: float
    clock: float | None = None


class Records(Protocol):
    """Small named byte strings, each written whole or not at all."""

    def peek(self, name: str) -> Seen | None:
        """The record as it stands, or None."""

    def exists(self, name: str) -> bool:
        """Whether there is such a record."""

    def load(self, folder: str) -> Iterator[tuple[str, Seen]]:
        """Every record under a folder, with its name."""

    def entries(self, folder: str) -> Iterable[Entry]:
        """Every record under a folder, without its bytes."""

    def create(self, name: str, data: bytes) -> bool:
        """Write it if there is none; False if there is."""

    def swap(self, name: str, seen: Seen, data: bytes) -> bool:
        """Replace it if it is still as seen; of several who try, one wins."""

    def renew(self, name: str, seen: Seen, data: bytes) -> Seen | None:
        """Rewrite a record of our own without a moment of absence; None if it is no longer as we left it."""

    def remove(self, name: str, seen: Seen) -> bool:
        """Delete it if it is still as seen."""

    def delete(self, name: str) -> None:
        """Delete it, whatever it is; one that is gone already is fine."""

    def set_aside(self, name: str, seen: Seen) -> None:
        """Move an unreadable record to the quarantine, if it is still as seen."""

    def age(self, seen: Seen) -> float:
        """Seconds since it was written, by the store's clock."""

    def now(self) -> float:
        """The store's clock."""


class Objects(Protocol):
    """Files under the sha256 of their bytes; never changed once written."""

    def put(self, path: Path) -> FileRecord:
        """Store a file's bytes, unless they are there; one that is there becomes young again."""

    def size(self, digest: str) -> int | None:
        """The size of a stored object, or None."""

    def lay_out(self, record: FileRecord, target: Path) -> None:
        """Make the object appear as a read-only file, its bytes checked; CorruptObject if they differ."""

    def intact(self, digest: str) -> bool:
        """Read every byte and compare with the digest."""

    def set_aside(self, digest: str) -> None:
        """Move an object to the quarantine."""

    def entries(self) -> Iterable[Entry]:
        """Every object; the name is the digest."""

    def discard(self, entry: Entry) -> bool:
        """Delete an object unless it became young since it was listed."""

    def tidy(self, folders: Iterable[str], before: float, *, dry: bool) -> int:
        """Free what crashes and corruption left in these folders before a time; the bytes freed."""
