"""A new plugin is a whole one: it can be discovered, keeps the contract, and its own tests pass."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from advorch.errors import UsageError
from advorch.registry import scaffold
from advorch.testing.distributions import write_distribution


def test_a_new_plugin_carries_its_name_and_no_other(tmp_path: Path) -> None:
    folder = scaffold.new_plugin("advorch-my-best", tmp_path)
    assert folder == tmp_path / "advorch-my-best"
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["name"] == "advorch-my-best"
    assert project["project"]["entry-points"]["advorch.plugins"] == {"advorch-my-best": "advorch_my_best"}
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["advorch_my_best"]
    texts = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file())
    assert 'name="my-best"' in texts
    for word in ("advorch-example", "advorch_example", "smoothed-pgd"):
        assert word not in texts
    assert not list(folder.rglob("__pycache__"))


def test_its_own_tests_pass(tmp_path: Path) -> None:
    folder = scaffold.new_plugin("trial", tmp_path)
    write_distribution(tmp_path / "site", "trial", entry_points={"trial": "trial"})
    path = os.pathsep.join([str(folder), str(tmp_path / "site"), *(entry for entry in sys.path if entry)])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder / "tests")],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


@pytest.mark.parametrize("name", ["Bad Name", "../up", "under_score", "-dash", "1st", ""])
def test_names_that_are_none_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        scaffold.new_plugin(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        scaffold.new_plugin("mine", tmp_path)


def test_the_template_of_a_wheel_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "template"
    (wheel / "advorch_example").mkdir(parents=True)
    (wheel / "pyproject.toml").write_text('name = "advorch-example"  # from the wheel\n')
    monkeypatch.setattr(scaffold, "TEMPLATES", (wheel, *scaffold.TEMPLATES))
    folder = scaffold.new_plugin("mine", tmp_path)
    assert (folder / "pyproject.toml").read_text() == 'name = "mine"  # from the wheel\n'
    monkeypatch.setattr(scaffold, "TEMPLATES", (tmp_path / "gone",))
    with pytest.raises(UsageError, match="missing"):
        scaffold.new_plugin("other", tmp_path)
