"""The rules of the house that a tool can check."""

import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from advorch import api

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def sources() -> list[Path]:
    return [path for folder in ("advorch", "plugins", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]


def test_no_file_is_over_four_hundred_lines() -> None:
    long = {str(path.relative_to(ROOT)): n for path in sources() if (n := len(path.read_text().splitlines())) > 400}
    assert not long


def test_the_public_names_are_sorted_and_all_there() -> None:
    assert sorted(api.__all__) == api.__all__
    public = {name for name in vars(api) if not name.startswith("_")}
    assert public == set(api.__all__)


def test_installed_entry_points_are_those_of_the_project() -> None:
    declared = PROJECT["project"]["entry-points"]["advorch.plugins"]
    installed = {e.name: e.value for e in distribution("advorch").entry_points if e.group == "advorch.plugins"}
    assert installed == declared, "run `pip install -e .` again: entry points changed"


def test_the_plugins_folder_is_a_source_root_and_no_package() -> None:
    assert not (ROOT / "plugins/__init__.py").exists()
    assert not list(ROOT.glob("*.egg-info")), "a stale egg-info hides the real entry points"


def test_the_constraints_pin_every_dependency() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    wanted = PROJECT["project"]["dependencies"] + [
        item for group in PROJECT["project"]["optional-dependencies"].values() for item in group
    ]
    names = {item.partition("[")[0].partition(">")[0].partition("=")[0].strip().lower() for item in wanted}
    assert names <= pinned


def test_import_contracts_hold() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(tool)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
