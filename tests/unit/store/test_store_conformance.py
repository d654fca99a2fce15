"""What every store promises, whichever back end holds it."""

import threading

import pytest

from advorch.artifacts import Artifact, ArtifactType, FileRecord, Output
from advorch.errors import CorruptObject, FormatTooNew, StoreError
from advorch.store.api import Store
from advorch.store.layout import manifest_name, object_name, partial_name
from advorch.store.manifest import Manifest
from advorch.store.opening import open_store

KEY = "ab" * 32
OTHER = "cd" * 32


def never() -> bool:
    return False


def first_object(manifest: Manifest) -> FileRecord:
    return manifest.outputs["model"].files["data.txt"]


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def test_a_file_is_stored_under_the_sha256_of_its_bytes(kit):
    store = kit.open()
    empty = store.put_file(kit.file(""))
    abc = store.put_file(kit.file("abc"))
    assert empty.digest == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert abc.digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (empty.size, abc.size) == (0, 3)


def test_an_output_comes_back_as_it_was_with_folders_and_empty_files(kit):
    folder = kit.file("weights").parent
    (folder / "sub").mkdir()
    (folder / "sub" / "empty").touch()
    artifact = kit.open().put_output(Output(type=ArtifactType.TABLE, folder=folder, meta={"rows": 3}))
    into = kit.open(cache=kit.folder / "another").fetch(artifact, kit.folder / "out")
    assert artifact.type is ArtifactType.TABLE
    assert artifact.meta == {"rows": 3}
    assert {path.relative_to(into).as_posix() for path in into.rglob("*") if path.is_file()} == {
        "data.txt",
        "sub/empty",
    }
    assert (into / "data.txt").read_text() == "weights"


def test_fetching_twice_into_one_folder_replaces_what_is_there(kit):
    store = kit.open()
    into = kit.folder / "out"
    store.fetch(kit.artifact(store, "first"), into)
    store.fetch(kit.artifact(store, "second"), into)
    assert (into / "data.txt").read_text() == "second"
    assert store.fetch(kit.artifact(store, "first"), kit.folder / "again").joinpath("data.txt").read_text() == "first"


def test_a_name_that_leads_out_of_the_folder_is_refused(kit):
    store = kit.open()
    record = store.put_file(kit.file("x"))
    for name in ("../escaped", "/tmp/escaped", "a/../../escaped"):
        with pytest.raises(CorruptObject, match="outside"):
            store.fetch(Artifact(type=ArtifactType.MODEL, files={name: record}), kit.folder / "out")
    assert not (kit.folder / "escaped").exists()


def test_a_committed_manifest_is_found_in_another_opening(kit):
    manifest = kit.committed(kit.open(), KEY, "weights", series={"loss": [1.0, 0.5]}, seed=7)
    found = open_store(kit.open().url, cache=kit.folder / "elsewhere").manifest(KEY)
    assert found == manifest
    assert kit.open().manifest(OTHER) is None


def test_the_first_manifest_stands(kit):
    store = kit.open()
    first = kit.committed(store, KEY, "weights")
    second = kit.committed(kit.open(), KEY, "other weights", metrics={"accuracy": 0.9})
    assert second == first
    assert store.manifest(KEY) == first


def test_of_two_writers_at_once_both_get_the_one_that_stands(kit):
    stores = [kit.open() for _ in range(4)]
    candidates = [kit.manifest(KEY, kit.artifact(store, f"w{n}"), seed=n) for n, store in enumerate(stores)]
    results: list[Manifest] = []
    start = threading.Barrier(4)

    def commit(store: Store, manifest: Manifest) -> None:
        start.wait()
        results.append(store.commit(manifest))

    threads = [threading.Thread(target=commit, args=pair) for pair in zip(stores, candidates, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len({result.seed for result in results}) == 1
    assert kit.open().manifest(KEY) == results[0]


def test_a_manifest_whose_files_were_not_put_is_refused(kit):
    artifact = Artifact(type=ArtifactType.MODEL, files={"a": FileRecord("0" * 64, 3)})
    with pytest.raises(StoreError, match="missing"):
        kit.open().commit(kit.manifest(KEY, artifact))
    assert kit.open().manifest(KEY) is None


def test_a_manifest_with_a_missing_object_does_not_count_and_is_replaced(kit, caplog):
    broken = kit.committed(kit.open(), KEY, "weights")
    kit.damage(object_name(first_object(broken).digest), lambda data: None)
    store = kit.open()
    assert store.manifest(KEY) is None
    assert "not whole" in caplog.text
    fixed = kit.committed(store, KEY, "new weights", seed=1)
    assert fixed.seed == 1
    assert kit.open().manifest(KEY) == fixed


def test_a_manifest_with_an_object_of_another_size_does_not_count(kit):
    manifest = kit.committed(kit.open(), KEY, "weights")
    kit.damage(object_name(first_object(manifest).digest), lambda data: data[:-1])
    assert kit.open().manifest(KEY) is None
    assert kit.committed(kit.open(), KEY, "weights") == manifest
    assert kit.open().manifest(KEY) == manifest


def test_a_torn_manifest_is_set_aside_and_computed_again(kit, caplog):
    kit.committed(kit.open(), KEY, "weights")
    kit.damage(manifest_name(KEY), lambda data: data[: len(data) // 2])
    store = kit.open()
    assert store.manifest(KEY) is None
    assert "unreadable" in caplog.text
    again = kit.committed(store, KEY, "weights", seed=2)
    assert store.manifest(KEY) == again
    assert again.seed == 2


def test_a_commit_over_a_torn_manifest_stands(kit):
    kit.committed(kit.open(), KEY, "weights")
    kit.damage(manifest_name(KEY), lambda data: b"{}")
    assert kit.committed(kit.open(), KEY, "weights", seed=3).seed == 3
    assert kit.open().manifest(KEY).seed == 3


def test_a_manifest_under_anothers_name_does_not_count(kit):
    store = kit.open()
    kit.committed(store, KEY, "weights")
    kit.committed(store, OTHER, "weights")
    kit.damage(manifest_name(KEY), lambda data: data.replace(KEY.encode(), OTHER.encode()))
    assert kit.open().manifest(KEY) is None


def test_a_newer_format_is_refused_by_name_and_left_alone(kit, caplog):
    store = kit.open()
    kit.committed(store, KEY, "weights")
    kit.committed(store, OTHER, "weights")
    kit.damage(manifest_name(KEY), lambda data: data.replace(b"manifest/1", b"manifest/2"))
    store = kit.open()
    for _ in range(2):
        with pytest.raises(FormatTooNew, match="manifest/2"):
            store.manifest(KEY)
    assert [manifest.key for manifest in store.manifests()] == [OTHER]
    assert "manifest/2" in caplog.text
    with pytest.raises(FormatTooNew):
        store.gc()


def test_a_flipped_byte_is_found_by_fetch_and_the_key_is_computed_again(kit):
    manifest = kit.committed(kit.open(), KEY, "weights")
    kit.damage(object_name(first_object(manifest).digest), flipped)
    store = kit.open(cache=kit.folder / "empty")
    assert store.manifest(KEY) is not None
    with pytest.raises(CorruptObject, match="does not match"):
        store.fetch(manifest.outputs["model"], kit.folder / "out")
    assert not (kit.folder / "out" / "data.txt").exists()
    assert store.manifest(KEY) is None
    assert kit.committed(store, KEY, "weights") == manifest
    assert store.fetch(manifest.outputs["model"], kit.folder / "out").joinpath("data.txt").read_text() == "weights"


def test_verify_finds_what_is_corrupt_and_missing_and_who_needs_it(kit):
    store = kit.open()
    one = kit.committed(store, KEY, "weights")
    two = kit.committed(store, OTHER, "other")
    store.partials("ee" * 32).commit("0000", {"rows": kit.file("rows")})
    assert list(kit.open().verify()) == []
    corrupt = first_object(one).digest
    missing = two.outputs["model"].files["deep/other.bin"].digest
    kit.damage(object_name(corrupt), flipped)
    kit.damage(object_name(missing), lambda data: None)
    kit.damage(partial_name("ee" * 32, "0000"), lambda data: data[:5])
    found = {(finding.digest, finding.trouble, finding.keys) for finding in kit.open().verify()}
    assert found == {(corrupt, "corrupt", (KEY,)), (missing, "missing", (OTHER,))}
    assert kit.open().manifest(KEY) is None
    assert kit.open().manifest(OTHER) is None


def test_verify_names_an_unreadable_manifest(kit):
    kit.committed(kit.open(), KEY, "weights")
    kit.damage(manifest_name(KEY), lambda data: data[:-1])
    assert [(found.trouble, found.keys) for found in kit.open().verify()] == [("unreadable manifest", (KEY,))]
    assert list(kit.open().verify()) == []


def test_manifests_come_newest_first_and_a_forgotten_one_no_more(kit):
    store = kit.open()
    for number in range(3):
        kit.committed(store, f"{number}a" * 32, "same", created=float(number))
    assert [manifest.created for manifest in store.manifests()] == [2.0, 1.0, 0.0]
    store.forget("1a" * 32)
    store.forget("1a" * 32)
    assert [manifest.created for manifest in kit.open().manifests()] == [2.0, 0.0]
    assert store.manifest("1a" * 32) is None


def test_partial_results_are_committed_once_and_come_back(kit):
    partials = kit.open().partials(KEY)
    assert partials.names() == []
    for step in (10, 2, 1):
        partials.commit(f"{step:04}", {"state": kit.file(f"step {step}")}, {"step": step})
    partials.commit("0002", {"state": kit.file("another")}, {"step": 99})
    again = kit.open().partials(KEY)
    assert again.names() == ["0001", "0002", "0010"]
    assert again.fetch("0002", kit.folder / "in") == {"step": 2}
    assert (kit.folder / "in" / "state").read_text() == "step 2"
    assert kit.open().partials(OTHER).names() == []


def test_dropping_keeps_the_newest(kit):
    partials = kit.open().partials(KEY)
    for name in ("a", "b[x=1]/c", "d"):
        partials.commit(name, {"f": kit.file(name)})
    assert partials.names() == ["a", "b[x=1]/c", "d"]
    partials.drop(keep_last=2)
    assert partials.names() == ["b[x=1]/c", "d"]
    partials.drop()
    partials.drop()
    assert kit.open().partials(KEY).names() == []


@pytest.mark.parametrize("trouble", ["flipped object", "missing object", "torn entry"])
def test_a_damaged_partial_result_is_dropped_so_that_it_is_computed_again(kit, trouble):
    kit.open().partials(KEY).commit("0001", {"state": kit.file("step 1")})
    digest = kit.open().put_file(kit.file("step 1")).digest
    entry = partial_name(KEY, "0001")
    name = entry if trouble == "torn entry" else object_name(digest)
    kit.damage(name, {"flipped object": flipped, "missing object": lambda _: None}.get(trouble, lambda data: data[:9]))
    store = kit.open(cache=kit.folder / "empty")
    with pytest.raises(CorruptObject):
        store.partials(KEY).fetch("0001", kit.folder / "in")
    assert store.partials(KEY).names() == []
    store.partials(KEY).commit("0001", {"state": kit.file("step 1")}, {"again": True})
    assert store.partials(KEY).fetch("0001", kit.folder / "in") == {"again": True}


def test_a_partial_result_that_was_never_committed_is_an_error(kit):
    with pytest.raises(CorruptObject, match="missing"):
        kit.open().partials(KEY).fetch("0001", kit.folder / "in")


def test_flags_are_seen_elsewhere_and_cleared_by_whole_names(kit):
    store, worker = kit.open(), kit.open()
    cell = "stop/run-1/attack[model=plain,name=pgd]"
    for name in (cell, "stop/run-1", "stop/run-10/a"):
        assert not worker.flag(name)
        store.raise_flag(name)
        store.raise_flag(name)
        assert worker.flag(name)
    store.clear_flags("stop/run-1")
    assert [worker.flag(name) for name in (cell, "stop/run-1", "stop/run-10/a")] == [False, False, True]
    store.clear_flags("stop/nothing")
