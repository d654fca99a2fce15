"""Where a Location lies is resolved by the machine that reads it."""

from pathlib import Path

import pytest

from advorch.errors import UsageError
from advorch.params import expand


def test_home_and_variables_are_resolved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SOME_DATA", str(tmp_path / "data"))
    assert expand("~/mnist") == tmp_path / "mnist"
    assert expand("$SOME_DATA/mnist") == tmp_path / "data" / "mnist"
    assert expand("/plain/path") == Path("/plain/path")


@pytest.mark.parametrize("written", ["$NOT_SET_ANYWHERE/mnist", "${NOT_SET_ANYWHERE}/mnist"])
def test_a_variable_that_is_not_set_is_named(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET_ANYWHERE", raising=False)
    with pytest.raises(UsageError, match="the environment has no NOT_SET_ANYWHERE"):
        expand(written)
