"""What an earlier advorch wrote is read, and what this one writes has not changed unnoticed."""

import json
from pathlib import Path

import pytest

from advorch.artifacts import Artifact, ArtifactType, FileRecord
from advorch.errors import FormatTooNew
from advorch.store import partials
from advorch.store.api import Owner
from advorch.store.backend import Seen
from advorch.store.claims import Claim, decode
from advorch.store.layout import manifest_name, partial_name
from advorch.store.manifest import Manifest

FORMATS = Path(__file__).parent / "formats"
KEY = "ab" * 32
ABC = FileRecord("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 3)

MANIFEST_1 = Manifest(
    key=KEY,
    parts={"component": "train/erm", "params": {"epochs": 3, "lr": 0.001}},
    component="train/erm",
    outputs={
        "model": Artifact(type=ArtifactType.MODEL, files={"weights.safetensors": ABC}, meta={"shape": [1, 28, 28]})
    },
    metrics={"clean_accuracy": 0.98},
    series={"loss": [1.0, 0.5]},
    seed=7,
    environment={"python": "3.12"},
    timings={"run": 1.5},
    run="run-1",
    created=1_700_000_000.0,
)


def place(local, name: str, data: bytes) -> None:
    path = Path(local.url) / name
    path.parent.mkdir(parents=True)
    path.write_bytes(data)


def test_manifest_1_is_read(local):
    local.open().put_file(local.file("abc"))
    place(local, manifest_name(KEY), (FORMATS / "manifest-1.json").read_bytes())
    assert local.open().manifest(KEY) == MANIFEST_1


def test_manifest_1_is_what_we_write():
    assert MANIFEST_1.plain() == json.loads((FORMATS / "manifest-1.json").read_text())


@pytest.mark.parametrize(("old", "new"), [(b"manifest/1", b"manifest/2"), (b"model/1", b"model/2")])
def test_a_manifest_ahead_of_us_is_refused_with_a_hint(local, old, new):
    place(local, manifest_name(KEY), (FORMATS / "manifest-1.json").read_bytes().replace(old, new))
    with pytest.raises(FormatTooNew, match=new.decode()) as caught:
        local.open().manifest(KEY)
    assert "upgrade" in caught.value.hint
    assert local.open()._records.exists(manifest_name(KEY))


def test_partial_1_is_read_and_written(local):
    store = local.open()
    store.put_file(local.file("abc"))
    place(local, partial_name(KEY, "0004"), (FORMATS / "partial-1.json").read_bytes())
    assert store.partials(KEY).fetch("0004", local.folder / "in") == {"step": 4}
    assert (local.folder / "in" / "rows.safetensors").read_text() == "abc"
    store.partials(KEY).commit("0005", {"rows.safetensors": local.file("abc")}, {"step": 4})
    written = json.loads((Path(local.url) / partial_name(KEY, "0005")).read_bytes())
    assert written == json.loads((FORMATS / "partial-1.json").read_text())


def test_a_partial_result_ahead_of_us_is_refused(local):
    data = (FORMATS / "partial-1.json").read_bytes().replace(b"partial/1", b"partial/2")
    with pytest.raises(FormatTooNew):
        partials.decode(Seen(data=data, version="", modified=0.0))


def test_claim_1_is_read_and_written():
    owner = Owner(run="run-1", host="here", pid=12, started=1.5)
    claim = Claim(token="0123", owner=owner, place="here/boot/pid", pid=12, birth="345", interval=2.0, beat=6)
    data = (FORMATS / "claim-1.json").read_bytes()
    assert decode(Seen(data=data, version="", modified=0.0)) == claim
    assert json.loads(claim.encode()) == json.loads(data)
