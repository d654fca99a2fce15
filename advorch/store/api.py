"""What the engine asks of a store; `open_store` picks the back end by the URL."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from advorch.artifacts import Artifact, FileRecord, Output
from advorch.canonical import Json
from advorch.store.manifest import Manifest

DurableHook = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who holds a claim: enough to tell whether it is still alive."""

    run: str
    host: str
    pid: int
    started: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that `verify` found: a corrupt or a missing object, and the manifests that need it."""

    digest: str
    trouble: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What `gc` freed."""

    objects: int
    bytes: int
    manifests: int


class Partials(Protocol):
    """The intermediate commits of one key: checkpoints of a fit by step, chunks of a map by index."""

    def commit(self, name: str, files: Mapping[str, Path], meta: Mapping[str, Json] | None = None) -> None:
        """Put the files, then publish the entry in one atomic write; committing a name twice keeps the first."""

    def names(self) -> list[str]:
        """Committed names, sorted; numbers are zero-padded by the caller, so the last is the newest."""

    def fetch(self, name: str, into: Path) -> Mapping[str, Json]:
        """Lay the files out in a folder and return the meta; CorruptObject if bytes differ."""

    def drop(self, keep_last: int = 0) -> None:
        """Remove entries but the newest so many; their objects are left to gc."""


class Store(Protocol):
    """Content-addressed objects, manifests by action key, partial results, claims and control flags."""

    url: str

    def put_file(self, path: Path) -> FileRecord:
        """Store a file's bytes under their digest; done already if present with the right size."""

    def put_output(self, output: Output) -> Artifact:
        """Store every file of an output folder."""

    def fetch(self, artifact: Artifact, into: Path) -> Path:
        """Lay an artifact's files out in a folder (links where possible); CorruptObject if bytes differ."""

    def manifest(self, key: str) -> Manifest | None:
        """The manifest of a key if it is whole: every object it names present with the right size."""

    def manifests(self) -> Iterator[Manifest]:
        """Every readable manifest, newest first."""

    def commit(self, manifest: Manifest) -> Manifest:
        """Publish a manifest unless one is there; returns the one that stands."""

    def forget(self, key: str) -> None:
        """Remove a manifest, so that its key is computed again."""

    def partials(self, key: str) -> Partials:
        """The intermediate commits of a key."""

    def claim(
        self, key: str, owner: Owner, *, wait: bool, stopping: Callable[[], bool]
    ) -> AbstractContextManager[None]:
        """Hold a key while computing it, with a heartbeat; wait for a live owner, take over a dead one.

        Raises Claimed when not to wait, Stopped when `stopping()` turns true while waiting.
        """

    def raise_flag(self, name: str) -> None:
        """Set a control flag, such as `stop/<run>/<cell>`, that workers poll."""

    def flag(self, name: str) -> bool:
        """Whether a control flag is set."""

    def clear_flags(self, prefix: str) -> None:
        """Remove the flags under a prefix."""

    def verify(self) -> Iterator[Finding]:
        """Read every object and compare it with its digest; corrupt ones are set aside so that they are recomputed."""

    def gc(self, keep: Iterable[str] | None = None, *, older_than: float = 0.0, dry: bool = False) -> Swept:
        """Remove manifests not in `keep` (None keeps all), then objects that nothing names."""
