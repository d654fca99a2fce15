"""Any order of storing, forgetting, damaging and collecting, against a dictionary."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from advorch.artifacts import Artifact, ArtifactType, FileRecord, Output
from advorch.errors import CorruptObject
from advorch.store.layout import object_name
from advorch.store.local import LocalStore
from advorch.store.manifest import Manifest

KEYS = st.sampled_from(["aa", "ab", "cc"])
CONTENTS = st.sampled_from(["", "x", "y", "long" * 50])
NAMES = st.sampled_from(["0001", "0002"])


class Shelf(RuleBasedStateMachine):
    """The model: which key and which partial result holds which bytes, and which bytes lie loose."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = LocalStore(self.folder / "store", grace=0.0)
        self.results: dict[str, str] = {}
        self.parts: dict[tuple[str, str], str] = {}
        self.objects: dict[str, FileRecord] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def written(self, content: str) -> Path:
        path = self.folder / "out" / "file"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        return path

    def artifact(self, content: str) -> Artifact:
        artifact = self.store.put_output(Output(type=ArtifactType.TABLE, folder=self.written(content).parent))
        self.objects[content] = artifact.files["file"]
        return artifact

    def whole(self, content: str) -> bool:
        return content in self.objects

    @rule(content=CONTENTS)
    def put(self, content: str) -> None:
        self.objects[content] = self.store.put_file(self.written(content))

    @rule(key=KEYS, content=CONTENTS)
    def commit(self, key: str, content: str) -> None:
        artifact = self.artifact(content)
        stood = self.results.get(key)
        if stood is None or not self.whole(stood):
            self.results[key] = content
        found = self.store.commit(Manifest(key=key, parts={}, component="c", outputs={"t": artifact}))
        assert found.outputs["t"].files["file"] == self.objects[self.results[key]]

    @rule(key=KEYS, name=NAMES, content=CONTENTS)
    def commit_partial(self, key: str, name: str, content: str) -> None:
        self.store.partials(key).commit(name, {"file": self.written(content)})
        self.objects[content] = self.store.put_file(self.written(content))
        self.parts.setdefault((key, name), content)

    @rule(key=KEYS, keep=st.integers(0, 1))
    def drop(self, key: str, keep: int) -> None:
        self.store.partials(key).drop(keep_last=keep)
        names = sorted(name for owner, name in self.parts if owner == key)
        for name in names[: len(names) - keep] if keep else names:
            del self.parts[key, name]

    @rule(key=KEYS)
    def forget(self, key: str) -> None:
        self.store.forget(key)
        self.results.pop(key, None)

    @rule(keep=st.none() | st.sets(KEYS))
    def gc(self, keep: set[str] | None) -> None:
        dry = self.store.gc(keep, dry=True)
        swept = self.store.gc(keep)
        assert (dry.objects, dry.manifests) == (swept.objects, swept.manifests)
        kept = {key: content for key, content in self.results.items() if keep is None or key in keep}
        assert swept.manifests == len(self.results) - len(kept)
        self.results = kept
        wanted = {key for key, _ in self.parts if key not in kept and (keep is None or key in keep)}
        self.parts = {part: content for part, content in self.parts.items() if part[0] in wanted}
        needed = {*self.results.values(), *self.parts.values()}
        assert swept.objects == len(self.objects.keys() - needed)
        self.objects = {content: record for content, record in self.objects.items() if content in needed}

    @precondition(lambda self: any(self.objects))
    @rule(data=st.data())
    def damage_and_verify(self, data: st.DataObject) -> None:
        content = data.draw(st.sampled_from(sorted(filter(None, self.objects))))
        path = self.folder / "store" / object_name(self.objects[content].digest)
        path.unlink()
        path.write_text("#" + content[1:])
        [found] = [finding for finding in self.store.verify() if finding.trouble == "corrupt"]
        assert found.digest == self.objects.pop(content).digest
        users = {key for key, held in self.results.items() if held == content}
        assert set(found.keys) == users | {key for (key, _), held in self.parts.items() if held == content}

    @rule(key=KEYS, name=NAMES)
    def fetch_partial(self, key: str, name: str) -> None:
        content = self.parts.get((key, name))
        try:
            self.store.partials(key).fetch(name, self.folder / "in")
        except CorruptObject:
            assert content is None or not self.whole(content)
            self.parts.pop((key, name), None)
        else:
            assert (self.folder / "in" / "file").read_text() == content

    @invariant()
    def what_is_committed_is_there(self) -> None:
        for key in ("aa", "ab", "cc"):
            found, content = self.store.manifest(key), self.results.get(key)
            assert (found is not None) == (content is not None and self.whole(content))
            if found:
                assert (self.store.fetch(found.outputs["t"], self.folder / "got") / "file").read_text() == content
            assert self.store.partials(key).names() == sorted(name for owner, name in self.parts if owner == key)


TestShelf = Shelf.TestCase
TestShelf.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
