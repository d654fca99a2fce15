"""What is special about a folder: modes, links, full disks, and how fast it is."""

import errno
import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from advorch.artifacts import Artifact, ArtifactType, Output
from advorch.errors import CorruptObject, StoreError
from advorch.store import atomic, objects
from advorch.store.layout import manifest_name, object_name
from advorch.store.local import LocalStore
from advorch.store.manifest import Manifest
from advorch.store.opening import open_store

KEY = "ab" * 32


def files_under(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


@contextmanager
def other_user() -> Iterator[None]:
    """Permissions do not bind root, so that root becomes nobody for a while."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.fixture
def no_links(monkeypatch):
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "links are not supported here")

    monkeypatch.setattr(os, "link", refuse)


def test_opening_and_looking_touch_nothing(tmp_path):
    store = open_store(str(tmp_path / "store"))
    assert store.manifest(KEY) is None
    assert list(store.manifests()) == []
    assert list(store.verify()) == []
    assert not store.flag("stop")
    assert list(tmp_path.iterdir()) == []


def test_everything_lies_where_a_person_would_look(local):
    store = local.open()
    local.committed(store, KEY, "weights")
    store.partials(KEY).commit("0001", {"state": local.file("state")})
    store.raise_flag("stop/run-1/attack[m=a]")
    root = Path(local.url)
    names = {name for name in files_under(root) if not name.startswith("objects/")}
    assert names == {
        f"manifests/ab/{KEY}.json",
        f"partials/{KEY}/0001.json",
        "flags/stop/run-1/attack%5Bm%3Da%5D.flag",
    }
    for path in (root / "objects").rglob("*"):
        if path.is_file():
            assert path.name == hashlib.sha256(path.read_bytes()).hexdigest()
            assert path.parent.name == path.name[:2]
            assert path.stat().st_mode & 0o777 == 0o444


def test_fetching_links_and_hashes_once_a_process(local, monkeypatch):
    store = local.open()
    artifact = local.artifact(store, "weights")
    reads: list[Path] = []
    original = atomic.hash_file
    monkeypatch.setattr(objects, "hash_file", lambda path: reads.append(path) or original(path))
    for into in ("a", "b"):
        laid = store.fetch(artifact, local.folder / into) / "data.txt"
        assert laid.samefile(Path(local.url) / object_name(artifact.files["data.txt"].digest))
    assert len(reads) == len(artifact.files)
    local.open().fetch(artifact, local.folder / "c")
    assert len(reads) == 2 * len(artifact.files)


def test_an_object_that_changes_after_it_was_checked_is_checked_again(local):
    store = local.open()
    artifact = local.artifact(store, "weights")
    store.fetch(artifact, local.folder / "a")
    path = Path(local.url) / object_name(artifact.files["data.txt"].digest)
    path.chmod(0o644)
    path.write_text("WEIGHTS")
    os.utime(path, (1.0, 1.0))
    with pytest.raises(CorruptObject):
        store.fetch(artifact, local.folder / "b")


def test_a_store_without_links_keeps_its_promises_by_copies(local, no_links):
    store = local.open()
    first = local.committed(store, KEY, "weights")
    assert local.committed(store, KEY, "other", seed=9) == first
    laid = store.fetch(first.outputs["model"], local.folder / "out") / "data.txt"
    assert laid.read_text() == "weights"
    assert laid.stat().st_nlink == 1
    assert laid.stat().st_mode & 0o777 == 0o444
    with store.claim(KEY, local.owner, wait=False, stopping=lambda: False):
        pass
    assert not list((Path(local.url) / "tmp").iterdir())


def test_a_full_disk_at_any_write_leaves_nothing_half_written(local, monkeypatch):
    """The disk may tell only when it must write: a sync fails as a write does."""
    original = os.fsync
    left = 0

    def fail_later(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(descriptor)

    monkeypatch.setattr(os, "fsync", fail_later)
    told, store = [], local.open()
    for allowed in range(40):
        left = allowed
        try:
            local.committed(store, KEY, "weights")
            break
        except StoreError as error:
            told.append(error)
        left = 1000
        assert not list((Path(local.url) / "tmp").glob("*"))
        assert list(store.verify()) == []
    assert {error.message.partition(": ")[2][:13] for error in told} == {"No space left"}
    assert all("free some space" in error.hint for error in told)
    assert 3 < allowed < 39
    assert store.manifest(KEY) is not None


def test_a_write_cut_short_leaves_nothing(local):
    store = local.open()
    big = local.file("x" * 100_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(StoreError, match="too large"):
            store.put_file(big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files_under(Path(local.url)) == set()
    assert store.put_file(big).size == 100_000


def test_a_folder_that_cannot_be_written_is_one_line_with_a_hint(tmp_path):
    file = tmp_path / "data"
    file.write_text("x")
    tmp_path.chmod(0o555)
    try:
        with other_user(), pytest.raises(StoreError) as caught:
            LocalStore(tmp_path / "store").raise_flag("stop")
    finally:
        tmp_path.chmod(0o755)
    assert "Permission denied" in caught.value.message
    assert "--storage" in caught.value.hint
    assert caught.value.exit_code == 8


def test_a_file_in_the_way_is_one_line_with_a_hint(tmp_path):
    (tmp_path / "file").touch()
    store = LocalStore(tmp_path / "file" / "store")
    with pytest.raises(StoreError, match="Not a directory"):
        store.raise_flag("stop")
    assert store.manifest(KEY) is None


def test_two_threads_that_store_the_same_bytes_leave_one_object(local):
    store, start = local.open(), threading.Barrier(4)
    path, records = local.file("weights" * 10_000), []

    def put() -> None:
        start.wait()
        records.append(store.put_file(path))

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(records)) == 1
    assert files_under(Path(local.url)) == {object_name(records[0].digest)}


def test_storing_old_bytes_again_keeps_them_from_gc(local):
    store = local.open()
    record = store.put_file(local.file("weights"))
    path = Path(local.url) / object_name(record.digest)
    os.utime(path, (1.0, 1.0))
    store.put_file(local.file("weights"))
    assert store.gc().objects == 0
    os.utime(path, (1.0, 1.0))
    assert store.gc().objects == 1


def test_an_object_stored_again_after_gc_listed_it_survives(local):
    store = local.open()
    record = store.put_file(local.file("weights"))
    os.utime(Path(local.url) / object_name(record.digest), (1.0, 1.0))
    [listed] = store._objects.entries()
    store.put_file(local.file("weights"))
    assert not store._objects.discard(listed)
    assert store._objects.intact(record.digest)
    assert store._objects.size(record.digest) == 7
    [listed] = store._objects.entries()
    assert store._objects.discard(listed)
    assert store._objects.size(record.digest) is None
    assert not store._objects.discard(listed)


def test_a_torn_manifest_is_kept_for_a_look(local):
    local.committed(local.open(), KEY, "weights")
    local.damage(manifest_name(KEY), lambda data: b"torn")
    assert local.open().manifest(KEY) is None
    [kept] = (Path(local.url) / "quarantine").iterdir()
    assert kept.read_bytes() == b"torn"
    assert kept.name.endswith(f"{KEY}.json")


def test_attempts_are_cleared_only_when_nobody_computes(local):
    store = local.open(grace=0.0)
    attempt = store.scratch / "1" / "weights"
    attempt.parent.mkdir(parents=True)
    attempt.write_text("half")
    with store.claim(KEY, local.owner, wait=True, stopping=lambda: False):
        store.gc()
        assert attempt.exists()
    store.gc()
    assert not attempt.exists()


def test_a_thousand_lookups_are_quick(local):
    store = local.open()
    artifact = local.artifact(store, "weights")
    keys = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(1000)]
    for key in keys:
        name = Path(local.url) / manifest_name(key)
        name.parent.mkdir(parents=True, exist_ok=True)
        manifest = Manifest(key=key, parts={"a": [1, 2]}, component="c", outputs={"a": artifact, "b": artifact})
        name.write_text(json.dumps(manifest.plain()))
    store = local.open()
    before = time.process_time()
    assert all(store.manifest(key) for key in keys)
    assert time.process_time() - before < 0.25


def test_a_local_store_loads_no_heavy_library():
    script = (
        "import sys; from advorch.store.opening import open_store; open_store('/nowhere').manifest('ab');"
        "print([name for name in ('fsspec', 's3fs', 'botocore', 'pydantic', 'torch', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("scheme", ["memory://x", "gs://bucket/x", "http://host/x"])
def test_schemes_without_conditional_writes_are_refused(scheme):
    with pytest.raises(StoreError) as caught:
        open_store(scheme)
    assert "s3://bucket/prefix" in caught.value.hint


def test_a_url_opens_the_same_store_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = open_store("some store")
    assert relative.url == str(tmp_path / "some store")
    assert open_store((tmp_path / "some store").as_uri()).url == relative.url
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_store("~/some store").url == relative.url


def test_only_files_are_stored_of_an_output(local):
    folder = local.file("weights").parent
    (folder / "empty folder").mkdir()
    (folder / "link").symlink_to(folder / "data.txt")
    artifact = local.open().put_output(Output(type=ArtifactType.TABLE, folder=folder))
    assert isinstance(artifact, Artifact)
    assert set(artifact.files) == {"data.txt", "link"}


def test_flags_come_and_go_in_one_folder_at_the_same_time(local):
    """A folder that became empty is dropped while another thread is about to write into it."""
    store, failures = local.open(), []

    def blink(number: int) -> None:
        try:
            for _ in range(100):
                store.raise_flag(f"stop/run/{number}")
                store.clear_flags(f"stop/run/{number}")
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=blink, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert files_under(Path(local.url)) == set()
