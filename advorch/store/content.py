"""The store itself, written once over records and objects, whichever back end holds them."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from advorch.artifacts import Artifact, FileRecord, Output
from advorch.errors import StoreError
from advorch.store import cleaning
from advorch.store.api import Finding, Owner, Partials, Swept
from advorch.store.backend import GRACE, Objects, Records
from advorch.store.claims import INTERVAL, Claims
from advorch.store.layout import flag_folder, flag_name, inside, manifest_name
from advorch.store.manifest import Manifest
from advorch.store.partials import StoredPartials
from advorch.store.reading import files_of, read_manifest, read_manifests

log = logging.getLogger(__name__)


class ContentStore:
    """`advorch.store.api.Store`; `scratch` is a local folder for attempts, on the file system of a local store."""

    def __init__(
        self,
        url: str,
        records: Records,
        objects: Objects,
        *,
        scratch: Path,
        interval: float = INTERVAL,
        grace: float = GRACE,
    ) -> None:
        self.url = url
        self.scratch = scratch
        self._records = records
        self._objects = objects
        self._claims = Claims(records, interval)
        self._grace = grace

    def put_file(self, path: Path) -> FileRecord:
        return self._objects.put(path)

    def put_output(self, output: Output) -> Artifact:
        files = {
            path.relative_to(output.folder).as_posix(): self._objects.put(path)
            for path in sorted(output.folder.rglob("*"))
            if path.is_file()
        }
        return Artifact(type=output.type, files=files, meta=output.meta)

    def fetch(self, artifact: Artifact, into: Path) -> Path:
        into.mkdir(parents=True, exist_ok=True)
        for name, record in artifact.files.items():
            self._objects.lay_out(record, inside(into, name))
        return into

    def manifest(self, key: str) -> Manifest | None:
        found = read_manifest(self._records, manifest_name(key))
        return found[1] if found and self._whole(found[1]) else None

    def manifests(self) -> Iterator[Manifest]:
        found = read_manifests(self._records)
        yield from sorted(found, key=lambda manifest: (-manifest.created, manifest.key))

    def commit(self, manifest: Manifest) -> Manifest:
        missing = self._missing(manifest)
        if missing:
            raise StoreError(f"cannot commit {manifest.key[:12]}: {missing[0]}", hint="put its files first")
        name, data = manifest_name(manifest.key), json.dumps(manifest.plain()).encode()
        while not self._records.create(name, data):
            found = read_manifest(self._records, name)
            if found and self._whole(found[1]):
                return found[1]
            if found and self._records.swap(name, found[0], data):
                break  # one that is not whole does not stand: it was as we saw it, and is replaced
        return manifest

    def forget(self, key: str) -> None:
        self._records.delete(manifest_name(key))

    def partials(self, key: str) -> Partials:
        return StoredPartials(self._records, self._objects, key)

    def claim(
        self, key: str, owner: Owner, *, wait: bool, stopping: Callable[[], bool]
    ) -> AbstractContextManager[None]:
        return self._claims.hold(key, owner, wait=wait, stopping=stopping)

    def raise_flag(self, name: str) -> None:
        self._records.create(flag_name(name), b"{}")

    def flag(self, name: str) -> bool:
        return self._records.exists(flag_name(name))

    def clear_flags(self, prefix: str) -> None:
        self._records.delete(flag_name(prefix))
        for entry in list(self._records.entries(flag_folder(prefix))):
            self._records.delete(entry.name)

    def verify(self) -> Iterator[Finding]:
        return cleaning.verify(self._records, self._objects)

    def gc(self, keep: Iterable[str] | None = None, *, older_than: float = 0.0, dry: bool = False) -> Swept:
        sweep = cleaning.Sweep(self._records, self._objects, self._claims, grace=self._grace, dry=dry)
        return sweep.run(None if keep is None else frozenset(keep), older_than)

    def _whole(self, manifest: Manifest) -> bool:
        missing = self._missing(manifest)
        if missing:
            log.warning("the result %s is not whole and will be recomputed: %s", manifest.key[:12], missing[0])
        return not missing

    def _missing(self, manifest: Manifest) -> list[str]:
        missing = []
        for record in files_of(manifest):
            size = self._objects.size(record.digest)
            if size != record.size:
                trouble = "is missing" if size is None else f"has {size} bytes instead of {record.size}"
                missing.append(f"object {record.digest[:12]} {trouble}")
        return missing
