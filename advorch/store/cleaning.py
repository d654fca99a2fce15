"""Reading every object against its digest, and freeing what nothing needs."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from advorch.artifacts import FileRecord
from advorch.errors import CorruptObject
from advorch.store import partials
from advorch.store.api import Finding, Swept
from advorch.store.backend import Entry, Objects, Records, Seen
from advorch.store.claims import Claims
from advorch.store.layout import ATTEMPTS, CLAIMS, MANIFESTS, PARTIALS, QUARANTINE, TEMPORARY, stem
from advorch.store.manifest import Manifest
from advorch.store.reading import decode, files_of, set_aside

Needs = dict[str, set[str]]


def verify(records: Records, objects: Objects) -> Iterator[Finding]:
    """Unreadable manifests, then corrupt objects, then missing ones."""
    needs: Needs = defaultdict(set)
    sizes: dict[str, int] = {}
    for name, seen in records.load(MANIFESTS):
        manifest = decode(name, seen)
        if manifest is None:
            set_aside(records, name, seen)
            yield Finding(digest="", trouble="unreadable manifest", keys=(stem(name),))
            continue
        _note(needs, sizes, manifest.key, files_of(manifest))
    for name, seen in records.load(PARTIALS):
        _note(needs, sizes, name.split("/")[1], partial_files(seen))
    yield from _corrupt(objects, needs, sizes)
    yield from _missing(objects, needs)


def _note(needs: Needs, sizes: dict[str, int], key: str, files: Iterable[FileRecord]) -> None:
    for file in files:
        needs[file.digest].add(key)
        sizes[file.digest] = file.size


def _corrupt(objects: Objects, needs: Needs, sizes: dict[str, int]) -> Iterator[Finding]:
    for entry in list(objects.entries()):
        if entry.size != sizes.get(entry.name, entry.size) or not objects.intact(entry.name):
            objects.set_aside(entry.name)
            yield Finding(digest=entry.name, trouble="corrupt", keys=tuple(sorted(needs.pop(entry.name, set()))))


def _missing(objects: Objects, needs: Needs) -> Iterator[Finding]:
    for digest, keys in sorted(needs.items()):
        if objects.size(digest) is None:
            yield Finding(digest=digest, trouble="missing", keys=tuple(sorted(keys)))


class Sweep:
    """One garbage collection: candidates are listed before what needs them is read, so a commit meanwhile is seen."""

    def __init__(self, records: Records, objects: Objects, claims: Claims, *, grace: float, dry: bool) -> None:
        self._records = records
        self._objects = objects
        self._claims = claims
        self._grace = grace
        self._dry = dry

    def run(self, keep: frozenset[str] | None, older_than: float) -> Swept:
        """See `Store.gc`."""
        now = self._records.now()
        young = now - max(older_than, self._grace)
        claimed = self._claimed(young)
        candidates = [entry for entry in self._objects.entries() if entry.modified <= young]
        spared = None if keep is None else keep | claimed
        standing, gone = self._manifests(spared, now - older_than)
        needed = {file.digest for manifest in standing for file in files_of(manifest)}
        needed |= self._needed_by_partials({manifest.key for manifest in standing} - claimed, spared, young)
        freed = [entry for entry in candidates if entry.name not in needed and self._discarded(entry)]
        folders = (TEMPORARY, QUARANTINE) if claimed else (TEMPORARY, QUARANTINE, ATTEMPTS)
        rubbish = self._objects.tidy(folders, young, dry=self._dry)
        return Swept(objects=len(freed), bytes=sum(entry.size for entry in freed) + rubbish, manifests=gone)

    def _claimed(self, young: float) -> set[str]:
        """Keys that a run may be computing; a claim that nobody stands behind any more is removed."""
        claimed = set()
        for name, seen in self._records.load(CLAIMS):
            if seen.modified > young or self._claims.held(name):
                claimed.add(stem(name))
            elif not self._dry:
                self._records.remove(name, seen)
        return claimed

    def _manifests(self, spared: frozenset[str] | None, settled: float) -> tuple[list[Manifest], int]:
        """The manifests that stay, and how many go; one of a newer format stops it all: it may need anything."""
        standing, gone = [], 0
        for name, seen in self._records.load(MANIFESTS):
            manifest = decode(name, seen)
            if manifest is None:
                if not self._dry:
                    set_aside(self._records, name, seen)
            elif spared is None or manifest.key in spared or seen.modified > settled:
                standing.append(manifest)
            elif self._removed(name, seen):
                gone += 1
            else:
                standing.append(manifest)
        return standing, gone

    def _needed_by_partials(self, finished: set[str], spared: frozenset[str] | None, young: float) -> set[str]:
        """What unfinished keys may resume from; partial results of a finished key only take space."""
        needed: set[str] = set()
        for name, seen in self._records.load(PARTIALS):
            key = name.split("/")[1]
            wanted = key not in finished if spared is None else key in spared - finished
            if wanted or seen.modified > young or not self._removed(name, seen):
                needed.update(file.digest for file in partial_files(seen))
        return needed

    def _removed(self, name: str, seen: Seen) -> bool:
        return self._dry or self._records.remove(name, seen)

    def _discarded(self, entry: Entry) -> bool:
        return self._dry or self._objects.discard(entry)


def partial_files(seen: Seen) -> list[FileRecord]:
    """The files of a partial result; a torn one names none, and is dealt with when it is fetched."""
    try:
        return list(partials.decode(seen)[0].values())
    except CorruptObject:
        return []
