"""The `advorch cache` commands over a real folder."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advorch.cli import cache
from advorch.errors import UsageError
from advorch.store.layout import object_name

KEY = "ab" * 32


@pytest.fixture
def invoke(local, monkeypatch):
    monkeypatch.setenv("ADVORCH_HOME", str(local.folder))
    return lambda *arguments: CliRunner().invoke(cache.app, list(arguments), catch_exceptions=False)


def test_list_shows_the_newest_first_with_what_they_take(local, invoke):
    local.committed(local.open(), KEY, "x" * 1000, created=1.0)
    local.committed(local.open(), "cd" * 32, "y", created=2.0, run="run-2")
    table = invoke("list")
    assert [line.split()[0] for line in table.stdout.splitlines()[2:]] == ["cd" * 6, "ab" * 6]
    assert "4 kB" in table.stdout
    assert "2 results that name 4 kB" in table.stderr
    rows = json.loads(invoke("list", "-o", "json").stdout)
    assert [(row["key"], row["size"], row["run"], row["component"]) for row in rows] == [
        ("cd" * 32, 4, "run-2", "train/erm"),
        (KEY, 4000, "run-1", "train/erm"),
    ]


def test_an_empty_store_is_listed_verified_and_collected(local, invoke):
    assert invoke("list", "-o", "json").stdout == "[]\n"
    assert invoke("verify").exit_code == 0
    assert "freed 0 B: 0 results, 0 objects" in invoke("gc").stderr


def test_verify_exits_with_8_and_says_what_will_be_recomputed(local, invoke):
    manifest = local.committed(local.open(), KEY, "weights")
    assert invoke("verify").stdout == ""
    local.damage(object_name(manifest.outputs["model"].files["data.txt"].digest), lambda data: b"W" + data[1:])
    found = invoke("verify")
    assert found.exit_code == 8
    assert "corrupt" in found.stdout
    assert KEY[:12] in found.stdout
    assert "1 result will be recomputed" in found.stderr
    assert json.loads(invoke("verify", "-o", "ndjson").stdout)["trouble"] == "missing"


def test_gc_counts_before_it_frees(local, invoke):
    local.committed(local.open(), KEY, "weights")
    assert "0 results, 0 objects" in invoke("gc", "--older-than", "30d").stderr
    told = invoke("gc", "--older-than", "0s", "--dry-run", "-o", "json")
    assert json.loads(told.stdout)[0]["results"] == 1
    assert local.open().manifest(KEY) is not None
    assert "freed" in invoke("gc", "--older-than", "0s").stderr
    assert local.open().manifest(KEY) is None


def test_gc_refuses_what_is_no_time(invoke):
    with pytest.raises(UsageError, match="not 'soon'"):
        invoke("gc", "--older-than", "soon")


def test_storage_names_another_store(local, invoke, tmp_path):
    local.committed(local.open(), KEY, "weights")
    assert json.loads(invoke("list", "--storage", str(tmp_path / "elsewhere"), "-o", "json").stdout) == []
    assert len(json.loads(invoke("list", "--storage", Path(local.url).as_uri(), "-o", "json").stdout)) == 1


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (3_400_000, "3.4 MB"), (10**13, "10 TB")]
)
def test_sizes_read_well(count, text):
    assert cache.size(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(-3, "0s"), (59.9, "59s"), (60, "1m"), (7200, "2h"), (200_000, "2d")])
def test_ages_read_well(seconds, text):
    assert cache.age(seconds) == text
