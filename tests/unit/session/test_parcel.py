"""What travels with a submitted pipeline, and what does not."""

import subprocess
from pathlib import Path

import pytest

from advorch.errors import UsageError
from advorch.session import parcel as parcels
from advorch.session.parcel import Parcel, pack
from advorch.spec.load import load_pipeline

STAGES = "stages: {a: {uses: train/walk}}\n"


def project(folder: Path, head: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "p.yaml"
    path.write_text(f"version: 1\n{head}{STAGES}")
    for name in ("own.py", "part/more.py", "data/big.bin", ".advorch/x", ".git/y", "__pycache__/z", "notes.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    return path


def packed(path: Path, *exclude: str) -> Parcel:
    return pack(load_pipeline(path), exclude)


def names(parcel: Parcel) -> set[str]:
    return {file.as_posix() for file in parcel.files}


def test_the_folder_travels_without_data_results_and_history(tmp_path: Path) -> None:
    path = project(tmp_path / "it")
    assert names(packed(path)) == {"p.yaml", "own.py", "part/more.py", "notes.txt"}
    assert names(packed(path, "part", "*.txt")) == {"p.yaml", "own.py"}
    assert packed(path).pipeline == Path("p.yaml")


def test_what_git_ignores_stays(tmp_path: Path) -> None:
    path = project(tmp_path / "it")
    (tmp_path / "it" / ".git" / "y").unlink()
    subprocess.run(["git", "init", "-q", str(tmp_path / "it")], check=True)
    (tmp_path / "it" / ".gitignore").write_text("*.txt\n")
    assert names(packed(path)) == {"p.yaml", "own.py", "part/more.py"}


def test_includes_from_elsewhere_travel_at_their_place_and_nothing_beside_them(tmp_path: Path) -> None:
    for name in ("common.yaml", "overridden.yaml", "other.py"):
        (tmp_path / name).write_text("name: common\n" if name.endswith("yaml") else "")
    path = project(tmp_path / "it", "include: [../common.yaml, ../overridden.yaml]\nname: own\n")
    parcel = packed(path)
    assert parcel.pipeline == Path("it/p.yaml")
    assert names(parcel) == {
        "common.yaml", "overridden.yaml", "it/p.yaml", "it/own.py", "it/part/more.py", "it/notes.txt"
    }  # fmt: skip
    parcel.lay_out(tmp_path / "there")
    assert load_pipeline(tmp_path / "there" / parcel.pipeline).name == "own"


def test_a_distribution_travels_with_what_makes_it_a_plugin(tmp_path: Path) -> None:
    path = project(tmp_path / "it")
    parcel = pack(load_pipeline(path), ship=["advorch"])
    assert {"advorch/api.py", "advorch_builtins/attacks/catalog.py", "p.yaml"} <= names(parcel)
    [entry_points] = [place for place in parcel.files if place.name == "entry_points.txt"]
    assert entry_points.parent.name.startswith("advorch-")
    assert "builtin-attacks" in parcel.files[entry_points].read_text()
    assert not [name for name in names(parcel) if name.endswith((".pyc", ".pth"))]
    with pytest.raises(UsageError, match="no distribution 'nobodys' is installed here"):
        pack(load_pipeline(path), ship=["nobodys"])


def test_the_digest_tells_names_and_contents_apart(tmp_path: Path) -> None:
    path = project(tmp_path / "it")
    first = packed(path).digest()
    assert packed(path).digest() == first
    (tmp_path / "it" / "data" / "big.bin").write_text("other data")
    assert packed(path).digest() == first
    (tmp_path / "it" / "own.py").write_text("x")
    second = packed(path).digest()
    (tmp_path / "it" / "own.py").rename(tmp_path / "it" / "new.py")
    assert len({first, second, packed(path).digest()}) == 3


def test_too_much_is_refused_by_the_names_of_the_biggest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project(tmp_path / "it")
    (tmp_path / "it" / "weights.bin").write_bytes(bytes(3 * 2**20))
    monkeypatch.setattr(parcels, "LARGEST", 2**20)
    with pytest.raises(UsageError, match=r"3\.0 MiB would travel .* the biggest: weights\.bin \(3\.0 MiB\)"):
        packed(path)
    assert "weights.bin" not in names(packed(path, "*.bin"))
    monkeypatch.setattr(parcels, "MOST", 3)
    with pytest.raises(UsageError, match="more than 3 files"):
        packed(path, "*.bin")
