"""What is special about a bucket: conditions, credentials, the cache, and how few requests it takes."""

import os
import sys
import time
from pathlib import Path

import pytest

from advorch.errors import InfrastructureError, StoreError
from advorch.store import remote_records
from advorch.store.bucket import Address, Bucket
from advorch.store.layout import object_name
from advorch.store.opening import open_store
from advorch.store.remote import RemoteStore, user_cache

KEY = "ab" * 32


def refused(url: str, cache: Path) -> StoreError:
    with pytest.raises(StoreError) as caught:
        open_store(url, cache=cache)
    assert isinstance(caught.value, InfrastructureError)
    assert caught.value.exit_code == 8
    return caught.value


def without(monkeypatch, *conditions: str) -> None:
    """A server that does not know some conditions and ignores them."""
    original = Bucket.put

    def put(self: Bucket, name: str, data: bytes, **condition: str) -> object:
        return original(self, name, data, **{key: value for key, value in condition.items() if key not in conditions})

    monkeypatch.setattr(Bucket, "put", put)


@pytest.mark.parametrize("ignored", ["IfNoneMatch", "IfMatch"])
def test_a_server_that_ignores_conditions_is_refused(s3, monkeypatch, ignored):
    without(monkeypatch, ignored)
    error = refused(s3.url, s3.folder)
    assert "conditional writes" in error.message
    assert "MinIO" in error.hint


def test_a_missing_s3fs_is_one_line_with_the_command_to_run(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    error = refused("s3://bucket/prefix", tmp_path)
    assert error.render().splitlines()[-1].strip() == "hint: pip install 'advorch[s3]'"


def test_an_unreachable_server_is_told_soon(tmp_path, credentials):
    before = time.monotonic()
    error = refused("s3://bucket/prefix?endpoint=http://127.0.0.1:1", tmp_path)
    assert time.monotonic() - before < 10
    assert "AWS_ENDPOINT_URL" in error.hint


def test_missing_credentials_are_told(s3, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    error = refused(s3.url.replace("127.0.0.1", "localhost"), s3.folder)  # another name: clients are kept by theirs
    assert "AWS_ACCESS_KEY_ID" in error.hint


def test_a_refusing_server_is_told(s3, monkeypatch):
    store = s3.open()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(store._records._bucket, "_call", refuse)
    with pytest.raises(StoreError, match="Access Denied") as caught:
        store.raise_flag("stop")
    assert "AWS_PROFILE" in caught.value.hint


def test_a_missing_bucket_is_told(s3):
    error = refused(s3.url.replace("bucket/", "no-such-bucket/"), s3.folder)
    assert "create the bucket" in error.hint


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix", "s3://bucket/prefix?region=x"])
def test_a_url_that_names_no_bucket_is_refused(url, tmp_path):
    assert "s3://bucket/prefix" in refused(url, tmp_path).hint


def test_an_address_with_and_without_prefix():
    assert Address.parse("s3://b/some/where/").key("x") == "some/where/x"
    assert Address.parse("s3://b").key("x") == "x"
    assert Address.parse("s3://b/p?endpoint=http://h:9").endpoint == "http://h:9"


def test_an_object_is_downloaded_once_and_a_damaged_copy_again(s3, monkeypatch):
    artifact = s3.artifact(s3.open(), "weights")
    calls: list[str] = []
    original = Bucket.download
    monkeypatch.setattr(Bucket, "download", lambda self, name, path: calls.append(name) or original(self, name, path))
    fresh = s3.folder / "fresh"
    for into in ("a", "b"):
        s3.open(cache=fresh).fetch(artifact, s3.folder / into)
    assert len(calls) == len(artifact.files)
    [copy] = fresh.rglob(artifact.files["data.txt"].digest)
    copy.chmod(0o644)
    copy.write_text("WEIGHTS")
    assert (s3.open(cache=fresh).fetch(artifact, s3.folder / "c") / "data.txt").read_text() == "weights"
    assert len(calls) == len(artifact.files) + 1


def test_a_damaged_copy_in_the_cache_is_never_uploaded(s3):
    record = s3.open().put_file(s3.file("weights"))
    [copy] = s3.folder.joinpath("cache").rglob(record.digest)
    copy.chmod(0o644)
    copy.write_text("WEIGHTS")
    s3.damage(object_name(record.digest), lambda data: None)
    s3.open().put_file(s3.file("weights"))
    assert list(s3.open().verify()) == []
    assert s3.open()._objects.intact(record.digest)
    assert copy.read_text() == "weights"


def test_a_cache_that_cannot_be_written_is_one_line(s3):
    s3.folder.joinpath("file").touch()
    with pytest.raises(StoreError, match="Not a directory"):
        s3.open(cache=s3.folder / "file").put_file(s3.file("weights"))


def test_what_was_put_is_not_downloaded(s3, monkeypatch):
    store = s3.open()
    artifact = s3.artifact(store, "weights")
    monkeypatch.setattr(Bucket, "download", None)
    assert (store.fetch(artifact, s3.folder / "out") / "data.txt").read_text() == "weights"


def test_lookups_list_the_objects_instead_of_asking_for_each(s3, monkeypatch):
    store = s3.open()
    for number in range(4):
        s3.committed(store, f"a{number}" * 32, "same")
    asked: list[str] = []
    for method in ("head", "listing"):
        original = getattr(Bucket, method)
        monkeypatch.setattr(
            Bucket, method, lambda self, name, original=original: asked.append(name) or original(self, name)
        )
    fresh = s3.open()
    assert all(fresh.manifest(f"a{number}" * 32) for number in range(4))
    assert len(asked) == 2


def test_long_listings_come_in_pages(s3, monkeypatch):
    store = s3.open()
    for number in range(5):
        store.raise_flag(f"stop/{number}")
    system = store._records._bucket._fs
    original, pages = system.call_s3, []

    def two_at_a_time(method: str, **arguments: object) -> object:
        pages.append(method)
        return original(method, **arguments, **({"MaxKeys": 2} if method == "list_objects_v2" else {}))

    monkeypatch.setattr(system, "call_s3", two_at_a_time)
    names = [entry.name for entry in store._records.entries("flags/stop")]
    assert names == [f"flags/stop/{number}.flag" for number in range(5)]
    assert pages == ["list_objects_v2"] * 3


def test_a_write_whose_answer_was_lost_is_recognised_as_ours(s3, monkeypatch):
    """The client repeats the request, and the server then refuses what it has already done."""
    records = s3.open()._records
    original = Bucket.put

    def answer_lost(self: Bucket, name: str, data: bytes, **condition: str) -> None:
        original(self, name, data, **condition)

    monkeypatch.setattr(Bucket, "put", answer_lost)
    assert records.create("claims/a.json", b"mine")
    seen = records.peek("claims/a.json")
    assert records.renew("claims/a.json", seen, b"mine again").data == b"mine again"
    assert not records.create("claims/a.json", b"yours")
    assert not records.swap("claims/a.json", seen, b"yours")


def test_a_claim_that_is_being_given_back_cannot_be_stolen_on_an_old_view(s3):
    thief, stolen = s3.open()._records, []

    def interrupt(name: str) -> None:
        if name == "claim.remove.before":
            stolen.append(thief.swap("claims/a.json", seen, b"thief"))

    owner = s3.open(on_durable=interrupt)._records
    owner.create("claims/a.json", b"mine")
    seen = thief.peek("claims/a.json")
    assert owner.remove("claims/a.json", seen)
    assert stolen == [False]


def test_a_conflict_of_two_writers_is_tried_again(s3, monkeypatch):
    records, answers = s3.open()._records, [None, None]
    original = Bucket.put

    def conflicting(self: Bucket, name: str, data: bytes, **condition: str) -> object:
        return answers.pop() if answers else original(self, name, data, **condition)

    monkeypatch.setattr(Bucket, "put", conflicting)
    assert records.create("flags/a.flag", b"{}")
    assert answers == []


def test_an_emptied_prefix_is_marked_again(s3):
    store = s3.open()
    s3.damage(remote_records.MARK, lambda data: None)
    assert abs(store._records.now() - time.time()) < 60
    assert store._records.exists(remote_records.MARK)


def test_old_bytes_stored_again_are_uploaded_again(s3, monkeypatch):
    seen: list[str] = []
    store = s3.open(on_durable=seen.append)
    store.put_file(s3.file("weights"))
    monkeypatch.setattr("advorch.store.remote_objects.GRACE", -60.0)
    store.put_file(s3.file("weights"))
    assert seen.count("object.before") == 2


def test_an_object_renewed_after_gc_listed_it_survives(s3):
    store = s3.open()
    record = store.put_file(s3.file("weights"))
    [listed] = store._objects.entries()
    assert not store._objects.discard(type(listed)(listed.name, listed.size, listed.modified - 5))
    assert store._objects.discard(listed)
    assert s3.open()._objects.size(record.digest) is None
    assert list(s3.folder.joinpath("cache").rglob(record.digest)) == []


def test_a_damaged_object_is_kept_for_a_look_until_gc(s3):
    manifest = s3.committed(s3.open(), KEY, "weights")
    s3.damage(object_name(manifest.outputs["model"].files["data.txt"].digest), lambda data: b"WEIGHTS")
    store = s3.open()
    assert [finding.keys for finding in store.verify()] == [(KEY,)]
    bucket = store._records._bucket
    assert len(list(bucket.listing("quarantine"))) == 1
    swept = s3.open(grace=-5.0).gc()
    assert swept.bytes >= len("WEIGHTS")
    assert list(bucket.listing("quarantine")) == []


def test_the_cache_lies_in_the_users_cache_folder(s3, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert user_cache() == tmp_path / "xdg" / "advorch"
    assert tmp_path / "xdg" / "advorch" in RemoteStore(s3.url).scratch.parents
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "darwin")
    assert user_cache() == Path(os.environ["HOME"]) / "Library" / "Caches" / "advorch"
