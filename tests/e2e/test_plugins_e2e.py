"""Plugins as their users have them: installed by pip, broken, in conflict, edited in place, newly begun."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from advorch.testing.distributions import write_distribution

ROOT = Path(__file__).parents[2]

PIPELINE = """\
version: 1
name: plugins
data: {moons: {uses: moons, with: {n: 96, n_test: 24}, splits: {fit: train, final: test}}}
tracking: {mlflow: false}
stages:
  plain:
    uses: train/erm
    in: {data: moons.fit}
    with: {model: {uses: linear}, epochs: 1}
  robust:
    uses: defend/adversarial
    in: {data: moons.fit}
    with: {model: {uses: linear}, epochs: 1, attack: {uses: ATTACK, with: {epsilon: 0.1, steps: 2}}}
  hit:
    uses: attack/ATTACK
    in: {model: robust.model, data: moons.final}
    with: {epsilon: 0.1, steps: 2}
"""

OWN = {
    "own_attack/__init__.py": """\
        from advorch.api import Access, Attack, AttackFn, Components, Count, Norm, Params, ThreatModel, hookimpl


        class OwnParams(Params):
            steps: Count = 2


        def _load() -> AttackFn[OwnParams]:
            from own_attack.work import perturb

            return perturb


        ATTACK = Attack(
            name="own", summary="A step of a length that a helper tells", params=OwnParams, load=_load,
            threat=ThreatModel(access=Access.GRADIENTS, norms=frozenset({Norm.LINF})),
        )


        @hookimpl
        def advorch_components() -> Components:
            return [ATTACK]
        """,
    "own_attack/work.py": """\
        from own_attack.helper import SHARE


        def perturb(victim, x, y, params, rng):
            return victim.ball(x).project(x + SHARE * 0.1 * victim.gradient(x, y).sign())
        """,
    "own_attack/helper.py": "SHARE = 0.5\n",
    "own_attack/sibling.py": "NOBODY = 'imports me'\n",
}

BROKEN = {"broken_plugin.py": "import module_that_is_nowhere\n"}

RIVAL = """\
from advorch.api import Access, Attack, Components, Norm, Params, ThreatModel, hookimpl


class NoParams(Params):
    pass


def _load():
    raise NotImplementedError


@hookimpl
def advorch_components() -> Components:
    threat = ThreatModel(access=Access.LABELS, norms=frozenset({Norm.LINF}))
    return [Attack(name="pgd", summary="Another pgd", params=NoParams, load=_load, threat=threat)]
"""


class Answer(NamedTuple):
    """How a command of its own process ended."""

    code: int
    out: str
    err: str

    def rows(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(self.out)
        return found


Run = Callable[..., Answer]


def run_with(folder: Path, *places: Path, **environment: str) -> Run:
    """The command line in a folder, with more places to import from before everything else."""
    path = os.pathsep.join(map(str, places))

    def run(*arguments: str | Path) -> Answer:
        done = subprocess.run(
            [sys.executable, "-c", "from advorch.cli.app import main; main()", *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment},
            cwd=folder, capture_output=True, text=True, check=False, timeout=110,
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def here(command_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """The same in this process."""

    def visible(*places: Path, **environment: str) -> Run:
        for place in places:
            monkeypatch.syspath_prepend(str(place))
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return lambda *arguments: Answer(*command_line(*arguments))

    return visible


def write(folder: Path, attack: str) -> Path:
    path = folder / "pipeline.yaml"
    path.write_text(PIPELINE.replace("ATTACK", attack))
    return path


def states(answer: Answer) -> dict[str, object]:
    assert answer.code == 0, answer.err
    return {str(row["cell"]): row["state"] for row in answer.rows()}


def statuses(answer: Answer) -> dict[str, object]:
    assert answer.code == 0, answer.err
    return {str(row["cell"]): row["status"] for row in answer.rows()}


def pip_install(project: Path, into: Path) -> None:
    command = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", into, project]
    subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, command)],
        check=True, capture_output=True, text=True, timeout=110,
    )  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example plugin, built from a copy and installed by pip."""
    folder = tmp_path_factory.mktemp("example")
    project = shutil.copytree(
        ROOT / "plugins" / "advorch-example", folder / "project", ignore=shutil.ignore_patterns("__pycache__")
    )
    pip_install(project, folder / "site")
    return folder / "site"


def test_the_example_works_everywhere_once_it_is_installed(installed: Path, tmp_path: Path) -> None:
    run = run_with(tmp_path, installed)
    path = write(tmp_path, "smoothed-pgd")
    listed = {row["id"]: row for row in run("plugin", "list", "-o", "json").rows()}
    assert listed["attack/smoothed-pgd"]["distribution"] == "advorch-example"
    assert listed["attack/smoothed-pgd"]["state"] == "ok"
    assert "code of advorch-example 0.1.0: attack/smoothed-pgd" in run("pipeline", "plan", path).err
    done = run("pipeline", "run", path, "--executor", "inline", "-o", "json")
    assert statuses(done) == {"plain": "done", "robust": "done", "hit": "done"}
    assert set(statuses(run("pipeline", "run", path, "-o", "json")).values()) == {"cached"}, "without Ray being started"
    manifest = next(
        row for row in run("cache", "list", "-o", "json").rows() if row["component"] == "attack/smoothed-pgd"
    )
    assert manifest


def test_a_broken_plugin_is_one_line_and_harms_nobody(here: Callable[..., Run], tmp_path: Path) -> None:
    site = write_distribution(tmp_path / "site", "broken-plugin", entry_points={"it": "broken_plugin"}, files=BROKEN)
    run = here(site)
    listed = run("plugin", "list")
    assert listed.code == 0
    [line] = [line for line in listed.out.splitlines() if "broken-plugin" in line]
    assert "module_that_is_nowhere" in line
    assert "Traceback" not in listed.out + listed.err
    assert "attack/pgd" in listed.out
    path = write(tmp_path, "pgd")
    done = run("pipeline", "run", path, "--executor", "inline", "-o", "json")
    assert set(statuses(done).values()) == {"done"}
    asked = run("pipeline", "validate", write(tmp_path, "pdg"))
    assert asked.code == 3
    assert "broken and not considered: broken-plugin" in asked.err
    assert run("plugin", "check", "broken-plugin").code == 3


def test_a_broken_plugin_ends_everything_where_strictness_is_asked_for(
    here: Callable[..., Run], tmp_path: Path
) -> None:
    site = write_distribution(tmp_path / "site", "broken-plugin", entry_points={"it": "broken_plugin"}, files=BROKEN)
    run = here(site, ADVORCH_STRICT_PLUGINS="1")
    path = write(tmp_path, "pgd")
    refused = run("pipeline", "validate", path)
    assert (refused.code, refused.out) == (3, "")
    assert "broken-plugin" in refused.err
    assert "module_that_is_nowhere" in refused.err
    assert "Traceback" not in refused.err
    assert run("pipeline", "validate", path, "--no-plugin", "broken-plugin").code == 0


def test_two_owners_of_a_name_are_both_named(here: Callable[..., Run], tmp_path: Path) -> None:
    site = write_distribution(tmp_path / "site", "rival", entry_points={"rival": "rival"}, files={"rival.py": RIVAL})
    run = here(site)
    path = write(tmp_path, "pgd")
    for asked in (("plugin", "list"), ("pipeline", "validate", path), ("pipeline", "run", path)):
        refused = run(*asked)
        assert (refused.code, refused.out) == (3, "")
        headline, *rest = refused.err.splitlines()
        assert headline.startswith("error: ")
        assert all(word in headline for word in ("attack/pgd", "rival", "advorch"))
        assert any("--no-plugin" in line for line in rest)
    assert run("pipeline", "validate", path, "--no-plugin", "rival").code == 0
    theirs = run("plugin", "show", "attack/pgd", "--no-plugin", "builtin-attacks", "-o", "json")
    assert theirs.rows()[0]["distribution"] == "rival"


def test_what_an_editable_plugin_imports_is_in_its_key(here: Callable[..., Run], tmp_path: Path) -> None:
    """As pip leaves it: the metadata in one place, the code where it is written."""
    site = write_distribution(tmp_path / "site", "own-attack", entry_points={"own": "own_attack"})
    source = write_distribution(tmp_path / "source", "unused", entry_points={}, files=OWN)
    shutil.rmtree(source / "unused-1.0.dist-info")
    run = here(site, source)
    path = write(tmp_path, "own")
    everything = run("pipeline", "run", path, "--executor", "inline", "-o", "json")
    assert set(statuses(everything).values()) == {"done"}
    plan = ("pipeline", "plan", path, "-o", "json")
    (source / "own_attack" / "sibling.py").write_text("NOBODY = 'cares'\n")
    assert set(states(run(*plan)).values()) == {"cached"}
    (source / "own_attack" / "helper.py").write_text("SHARE = 0.25\n")
    assert states(run(*plan)) == {"plain": "cached", "robust": "run", "hit": "deferred"}
    explained = run("pipeline", "explain", path, "robust", "-o", "json").rows()
    assert any("attack/own" in json.dumps(row) for row in explained), "it is the nested attack whose code differs"
    (source / "own_attack" / "helper.py").write_text("SHARE = 0.5\n")
    assert set(states(run(*plan)).values()) == {"cached"}


def test_code_of_the_kit_and_of_a_nested_attack_is_in_the_keys(tmp_path: Path) -> None:
    source = tmp_path / "source"
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "advorch", source / "advorch", ignore=leave)
    shutil.copytree(ROOT / "plugins" / "advorch_builtins", source / "advorch_builtins", ignore=leave)
    run = run_with(tmp_path, source)
    path = write(tmp_path, "pgd")
    assert set(statuses(run("pipeline", "run", path, "--executor", "inline", "-o", "json")).values()) == {"done"}
    plan = ("pipeline", "plan", path, "-o", "json")

    def planned_after(file: str) -> dict[str, object]:
        work = source / file
        before = work.read_text()
        work.write_text(f"{before}\n_EDITED = 1\n")
        try:
            return states(run(*plan))
        finally:
            work.write_text(before)

    assert planned_after("advorch_builtins/attacks/pgd.py") == {"plain": "cached", "robust": "run", "hit": "deferred"}
    assert planned_after("advorch_builtins/attacks/sign_noise.py") == dict.fromkeys(
        ("plain", "robust", "hit"), "cached"
    )
    everything = {"plain": "run", "robust": "run", "hit": "deferred"}
    assert planned_after("advorch/kit/attack/projection.py") == everything
    assert planned_after("advorch/kit/data.py") == everything
    assert planned_after("advorch/cli/render.py") == dict.fromkeys(("plain", "robust", "hit"), "cached")


@pytest.mark.long
def test_a_new_plugin_is_complete(tmp_path: Path) -> None:
    made = run_with(tmp_path)("plugin", "new", "my-attack")
    assert made.code == 0, made.err
    project = tmp_path / made.out.strip()
    texts = [path.read_text() for path in project.rglob("*") if path.is_file()]
    assert not [
        text for text in texts if any(name in text for name in ("advorch-example", "advorch_example", "smoothed-pgd"))
    ]
    pip_install(project, tmp_path / "site")
    run = run_with(tmp_path, tmp_path / "site")
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", project / "tests"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site"), "OMP_NUM_THREADS": "1"},
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert tests.returncode == 0, tests.stdout
    assert "passed" in tests.stdout
    checked = run("plugin", "check", "my-attack", "-o", "json")
    assert checked.code == 0, checked.out
    component = next(
        str(row["id"]) for row in run("plugin", "list", "-o", "json").rows() if row["distribution"] == "my-attack"
    )
    path = write(tmp_path, component.partition("/")[2])
    assert set(statuses(run("pipeline", "run", path, "--executor", "inline", "-o", "json")).values()) == {"done"}
