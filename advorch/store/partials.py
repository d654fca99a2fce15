"""The intermediate commits of one key."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from advorch.artifacts import FileRecord, check_format
from advorch.canonical import Json
from advorch.errors import CorruptObject
from advorch.store.backend import Objects, Records, Seen
from advorch.store.layout import inside, partial_folder, partial_name, stem

log = logging.getLogger(__name__)

FORMAT = "partial/1"


class StoredPartials:
    """`advorch.store.api.Partials` of one key."""

    def __init__(self, records: Records, objects: Objects, key: str) -> None:
        self._records = records
        self._objects = objects
        self._key = key

    def commit(self, name: str, files: Mapping[str, Path], meta: Mapping[str, Json] | None = None) -> None:
        stored = {file: asdict(self._objects.put(path)) for file, path in sorted(files.items())}
        entry = {"format": FORMAT, "files": stored, "meta": dict(meta or {})}
        self._records.create(partial_name(self._key, name), json.dumps(entry).encode())

    def names(self) -> list[str]:
        return sorted(stem(entry.name) for entry in self._records.entries(partial_folder(self._key)))

    def fetch(self, name: str, into: Path) -> Mapping[str, Json]:
        record = partial_name(self._key, name)
        seen = self._records.peek(record)
        if seen is None:
            raise CorruptObject(f"partial result '{name}' of {self._key[:12]} is missing", hint=_HINT)
        try:
            return self._lay_out(seen, into)
        except CorruptObject:
            self._records.set_aside(record, seen)  # so that it is computed and committed again
            raise

    def drop(self, keep_last: int = 0) -> None:
        names = self.names()
        for name in names[: max(0, len(names) - keep_last)]:
            self._records.delete(partial_name(self._key, name))

    def _lay_out(self, seen: Seen, into: Path) -> Mapping[str, Json]:
        files, meta = decode(seen)
        into.mkdir(parents=True, exist_ok=True)
        for file, record in files.items():
            self._objects.lay_out(record, inside(into, file))
        return meta


def decode(seen: Seen) -> tuple[dict[str, FileRecord], Mapping[str, Json]]:
    """The files and meta of an entry; CorruptObject if it is torn, FormatTooNew if it is ahead of us."""
    try:
        plain: dict[str, Any] = json.loads(seen.data)
        check_format(plain["format"], "partial", 1)
        return {name: FileRecord(**record) for name, record in plain["files"].items()}, plain["meta"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptObject("a partial result is unreadable", hint=_HINT) from error


_HINT = "run again: it is recomputed"
