"""Manifests as records: what is torn is set aside, what is newer than us is refused."""

import json
import logging
from collections.abc import Iterator

from advorch.artifacts import FileRecord
from advorch.errors import FormatTooNew
from advorch.store.backend import Records, Seen
from advorch.store.layout import MANIFESTS, stem
from advorch.store.manifest import Manifest

log = logging.getLogger(__name__)


def read_manifest(records: Records, name: str) -> tuple[Seen, Manifest] | None:
    """A manifest and the record it came from; None if there is none, or only a torn one, which is set aside."""
    seen = records.peek(name)
    if seen is None:
        return None
    manifest = decode(name, seen)
    if manifest is None:
        set_aside(records, name, seen)
        return None
    return seen, manifest


def read_manifests(records: Records) -> Iterator[Manifest]:
    """Every manifest that this version can read."""
    for name, seen in records.load(MANIFESTS):
        try:
            manifest = decode(name, seen)
        except FormatTooNew as error:
            log.warning("left out %s: %s", stem(name)[:12], error)
            continue
        if manifest is None:
            set_aside(records, name, seen)
        else:
            yield manifest


def decode(name: str, seen: Seen) -> Manifest | None:
    """The manifest in a record, or None if it is torn or stands under another's name."""
    try:
        manifest = Manifest.parse(json.loads(seen.data))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return manifest if manifest.key == stem(name) else None


def set_aside(records: Records, name: str, seen: Seen) -> None:
    """A torn manifest counts for nothing; its key is computed again."""
    log.warning("the manifest %s is unreadable: set aside, and recomputed when it is needed", stem(name)[:12])
    records.set_aside(name, seen)


def files_of(manifest: Manifest) -> Iterator[FileRecord]:
    """Every file that a manifest names, by content."""
    for artifact in manifest.outputs.values():
        yield from artifact.files.values()
