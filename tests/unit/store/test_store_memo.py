"""Digests are remembered only where a change would show."""

import hashlib
import json
import logging
import os
import time
from pathlib import Path

import pytest

from advorch.store import memo
from advorch.store.memo import FileDigests


@pytest.fixture
def hashed(monkeypatch):
    """The files that were really read."""
    seen: list[Path] = []
    original = memo._hash
    monkeypatch.setattr(memo, "_hash", lambda file: seen.append(file) or original(file))
    return seen


def old_file(path: Path, content: str, seconds: float = 60.0) -> Path:
    path.write_text(content)
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


def test_a_digest_is_the_sha256_and_computed_once(tmp_path, hashed):
    file = old_file(tmp_path / "data.bin", "abc")
    expected = hashlib.sha256(b"abc").hexdigest()
    assert FileDigests(tmp_path / "memo.json").digest(file) == expected
    assert FileDigests(tmp_path / "memo.json").digest(file) == expected
    assert hashed == [file]


def test_size_time_and_inode_each_make_a_file_new(tmp_path, hashed):
    digests = FileDigests(tmp_path / "memo.json")
    file = old_file(tmp_path / "data.bin", "abc")
    stamp = file.stat().st_mtime_ns
    first = digests.digest(file)
    file.write_text("abcd")
    os.utime(file, ns=(stamp, stamp))
    assert digests.digest(file) != first
    old_file(file, "abc", 50.0)
    assert digests.digest(file) == first
    old_file(tmp_path / "new", "xyz", 0)
    os.utime(tmp_path / "new", ns=(file.stat().st_mtime_ns,) * 2)
    (tmp_path / "new").replace(file)
    assert digests.digest(file) == hashlib.sha256(b"xyz").hexdigest()
    assert len(hashed) == 4


def test_a_file_that_may_still_change_unseen_is_not_remembered(tmp_path, hashed):
    file = old_file(tmp_path / "data.bin", "abc", 1.0)
    digests = FileDigests(tmp_path / "memo.json")
    digests.digest(file)
    digests.digest(file)
    assert hashed == [file, file]


def test_a_file_that_changes_while_it_is_hashed_is_not_remembered(tmp_path, monkeypatch):
    file = old_file(tmp_path / "data.bin", "abc")

    def touched(path: Path) -> str:
        os.utime(path, (1.0, 1.0))
        return "torn"

    monkeypatch.setattr(memo, "_hash", touched)
    FileDigests(tmp_path / "memo.json").digest(file)
    assert not (tmp_path / "memo.json").exists()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"format": "digests/9"}', '{"format": "digests/1", "files": {"a": 3}}']
)
def test_a_damaged_memory_is_made_anew(tmp_path, hashed, content):
    (tmp_path / "memo.json").write_text(content)
    file = old_file(tmp_path / "data.bin", "abc")
    assert FileDigests(tmp_path / "memo.json").digest(file) == hashlib.sha256(b"abc").hexdigest()
    assert json.loads((tmp_path / "memo.json").read_text())["format"] == "digests/1"
    FileDigests(tmp_path / "memo.json").digest(file)
    assert hashed == [file]


def test_many_files_are_remembered_in_one_write_beside_what_others_wrote(tmp_path, hashed, monkeypatch):
    files = [old_file(tmp_path / f"{n}.bin", str(n)) for n in range(5)]
    mine, other = FileDigests(tmp_path / "memo.json"), FileDigests(tmp_path / "memo.json")
    mine.digests([])
    other.digest(files[0])
    writes: list[Path] = []
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, target: writes.append(self) or replace(self, target))
    assert len(mine.digests(files[1:])) == 4
    assert len(writes) == 1
    del hashed[:]
    FileDigests(tmp_path / "memo.json").digests(files)
    assert hashed == []
    assert [path.name for path in tmp_path.iterdir() if path.suffix not in (".bin", ".json")] == []


def test_a_memory_that_cannot_be_written_costs_only_the_memory(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    (tmp_path / "file").touch()
    file = old_file(tmp_path / "data.bin", "abc")
    assert FileDigests(tmp_path / "file" / "memo.json").digest(file) == hashlib.sha256(b"abc").hexdigest()
    assert "not remembered" in caplog.text
