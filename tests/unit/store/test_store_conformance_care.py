"""Claims, collection and housekeeping, the same on a folder and in a bucket."""

import threading
import time

import pytest

from advorch.artifacts import FileRecord
from advorch.errors import Claimed, Stopped
from advorch.store.manifest import Manifest

KEY = "ab" * 32
OTHER = "cd" * 32


def never() -> bool:
    return False


def first_object(manifest: Manifest) -> FileRecord:
    return manifest.outputs["model"].files["data.txt"]


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def test_a_claimed_key_is_refused_without_waiting_and_free_afterwards(kit):
    store, other = kit.open(), kit.open()
    with store.claim(KEY, kit.owner, wait=True, stopping=never):
        with pytest.raises(Claimed, match=r"run-1 \(process 1 on here\)"):
            other.claim(KEY, kit.owner, wait=False, stopping=never).__enter__()
        with other.claim(OTHER, kit.owner, wait=False, stopping=never):
            pass
    with other.claim(KEY, kit.owner, wait=False, stopping=never):
        pass


def test_a_claim_is_given_back_when_the_work_fails(kit):
    with pytest.raises(ZeroDivisionError), kit.open().claim(KEY, kit.owner, wait=True, stopping=never):
        raise ZeroDivisionError
    with kit.open().claim(KEY, kit.owner, wait=False, stopping=never):
        pass


def test_waiting_ends_when_asked_to_stop(kit):
    polls = iter([False, False, True])
    with kit.open().claim(KEY, kit.owner, wait=True, stopping=never), pytest.raises(Stopped):
        kit.open().claim(KEY, kit.owner, wait=True, stopping=lambda: next(polls)).__enter__()


def test_threads_that_claim_one_key_take_turns(kit):
    inside, most, lock = 0, 0, threading.Lock()
    store = kit.open(interval=0.2)

    def work() -> None:
        nonlocal inside, most
        with store.claim(KEY, kit.owner, wait=True, stopping=never):
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.05)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


def test_a_heartbeat_keeps_a_claim_longer_than_its_expiry(kit):
    interval = 0.4 if kit.url.startswith("s3") else 0.05  # servers date their answers to the second
    with kit.open(interval=interval).claim(KEY, kit.owner, wait=True, stopping=never):
        time.sleep(interval * 7)
        with pytest.raises(Claimed):
            kit.open().claim(KEY, kit.owner, wait=False, stopping=never).__enter__()


def test_gc_frees_what_nothing_names_and_nothing_else(kit):
    store = kit.open(grace=0.0)
    manifest = kit.committed(store, KEY, "weights")
    store.partials(OTHER).commit("0001", {"state": kit.file("state")})
    loose = store.put_file(kit.file("loose bytes"))
    dry = store.gc(dry=True)
    assert (dry.objects, dry.bytes, dry.manifests) == (1, loose.size, 0)
    assert store.gc() == dry
    assert store.gc().objects == 0
    fresh = kit.open()
    assert fresh.manifest(KEY) == manifest
    assert fresh.partials(OTHER).fetch("0001", kit.folder / "in") == {}
    fresh.fetch(manifest.outputs["model"], kit.folder / "out")


def test_gc_spares_what_is_young(kit):
    store = kit.open()
    store.put_file(kit.file("a run in progress has put this"))
    assert store.gc().objects == 0
    assert kit.open(grace=0.0).gc(older_than=600).objects == 0


def test_gc_removes_manifests_that_are_not_kept_unless_young_or_claimed(kit):
    store = kit.open(grace=0.0)
    for number, key in enumerate([KEY, OTHER, "ee" * 32]):
        kit.committed(store, key, f"weights {number}")
    assert store.gc(keep=[KEY], older_than=600).manifests == 0
    with store.claim("ee" * 32, kit.owner, wait=True, stopping=never):
        assert store.gc(keep=[KEY], dry=True).manifests == 1
        swept = store.gc(keep=[KEY])
    assert (swept.manifests, swept.objects) == (1, 2)
    assert {manifest.key for manifest in store.manifests()} == {KEY, "ee" * 32}


def test_gc_drops_partial_results_of_a_finished_key(kit):
    store = kit.open(grace=0.0)
    store.partials(KEY).commit("0001", {"state": kit.file("state")})
    assert store.gc().objects == 0
    kit.committed(store, KEY, "weights")
    assert store.gc().objects == 1
    assert store.partials(KEY).names() == []


def test_storing_a_file_again_is_cheap_and_changes_nothing(kit):
    seen: list[str] = []
    store = kit.open(on_durable=seen.append)
    first = store.put_file(kit.file("weights"))
    assert seen == ["object.before", "object.after"]
    assert store.put_file(kit.file("weights")) == first
    assert len(seen) == 2


def test_every_durable_operation_is_announced(kit):
    seen: list[str] = []
    store = kit.open(on_durable=seen.append)
    with store.claim(KEY, kit.owner, wait=True, stopping=never):
        store.partials(KEY).commit("0001", {"state": kit.file("state")})
        kit.committed(store, KEY, "weights")
        store.partials(KEY).drop()
        store.raise_flag("stop/run-1/a")
        store.clear_flags("stop")
    store.forget(KEY)
    before, after = ([name for name in seen if name.endswith(end)] for end in ("before", "after"))
    assert sorted(before) == sorted(name.replace("after", "before") for name in after)
    assert {name.partition(".")[0] for name in seen} == {"claim", "object", "partial", "manifest", "flag"}
    assert {"partial.remove.before", "manifest.remove.after", "flag.remove.before"} <= set(seen)


def test_keys_that_cannot_be_names_are_bugs(kit):
    for key in ("", "../x", "a/b"):
        with pytest.raises(ValueError, match="key"):
            kit.open().manifest(key)


def test_the_scratch_folder_is_local_and_not_made_by_opening(kit):
    scratch = kit.open().scratch
    assert kit.folder in scratch.parents
    assert not scratch.exists()
