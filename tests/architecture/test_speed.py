"""Coarse guards against slowness: CPU seconds as ratios to `import typer`, at twice the goals of the benchmarks.

What can be counted is counted instead: modules, processes, syncs. Exact figures: `python benchmarks/orchestrator.py`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from advorch.registry.discovery import discover

LAB = Path(__file__).parents[1] / "lab"
SLACK = 2.0
TYPER = 0.066  # CPU seconds of `python -c "import typer"` on the machine for which the goals were set
ADVORCH = "from advorch.cli.app import main; main()"
STAGES = 200

# Run a pipeline inline; say what a stage cost after the first ten, in CPU seconds and in syncs.
COMPUTE = """
import json, os, sys, time
import advorch
from advorch.session.running import Options
real, syncs, marks = os.fsync, [0], []
def counted(descriptor):
    syncs[0] += 1
    real(descriptor)
os.fsync = counted
def watch(operation):
    if operation == "journal.cell_finished.after":
        marks.append((time.process_time(), syncs[0]))
advorch.load(sys.argv[1]).plan().run(Options(executor="inline", quiet=True, on_durable=watch)).check()
(cpu, synced), (cpu_then, synced_then), stages = marks[-1], marks[9], len(marks) - 10
print(json.dumps({"stages": len(marks), "cpu": (cpu - cpu_then) / stages, "syncs": (synced - synced_then) / stages}))
"""

WATCHED = f"""
import json, sys
started = []
starts = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec")
sys.addaudithook(lambda event, _: started.append(event) if event in starts else None)
try:
    {ADVORCH}
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps([started, sorted({{"torch", "ray", "mlflow", "numpy", "optuna"}}.intersection(sys.modules))]))
"""

Cpu = Callable[..., float]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("speed")


@pytest.fixture(scope="module")
def environment(folder: Path) -> dict[str, str]:
    """As for a user: bytecode is kept, and twenty plugins besides ours are installed."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("ADVORCH_HOME", "PYTHONDONTWRITEBYTECODE")
    }
    paths = [str(_plugins(folder / "installed", 20)), str(LAB), os.environ.get("PYTHONPATH", "")]
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


@pytest.fixture(scope="module")
def cpu(folder: Path, environment: dict[str, str]) -> Cpu:
    """The least CPU seconds of a command in some rounds, after one that is thrown away."""

    def once(code: str, arguments: tuple[object, ...]) -> float:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        with (folder / "said").open("w") as said:
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, (folder / "said").read_text()
        return usage.ru_utime + usage.ru_stime

    return lambda code, *arguments, rounds=3: min([once(code, arguments) for _ in range(rounds + 1)][1:])


@pytest.fixture(scope="module")
def typer(cpu: Cpu) -> float:
    return cpu("import typer", rounds=5)


@pytest.fixture(scope="module")
def computed(folder: Path, environment: dict[str, str]) -> tuple[Path, dict[str, float]]:
    """A pipeline that has been run, and what its stages cost."""
    file = _pipeline(folder, STAGES)
    ours = {name: value for name, value in environment.items() if name != "PYTHONPYCACHEPREFIX"}  # torch's is there
    return file, json.loads(_said(COMPUTE, file, cwd=folder, env={**ours, "PYTHONDONTWRITEBYTECODE": "1"}))


def test_help_costs_at_most_twice_its_library(cpu: Cpu, typer: float) -> None:
    assert cpu(ADVORCH, "--help") / typer < 2.0 * SLACK


def test_the_version_is_told_before_anything_is_imported(cpu: Cpu, typer: float) -> None:
    assert cpu(ADVORCH, "--version") / typer < 0.06 / TYPER * SLACK


@pytest.mark.parametrize(("stages", "goal"), [(100, 0.35), (1000, 0.8)])
def test_validation_is_cheap(folder: Path, cpu: Cpu, typer: float, stages: int, goal: float) -> None:
    file = _pipeline(folder, stages)
    assert cpu(ADVORCH, "pipeline", "validate", file, rounds=2) / typer < goal / TYPER * SLACK


def test_a_cached_run_is_cheap(computed: tuple[Path, dict[str, float]], cpu: Cpu, typer: float) -> None:
    goal = 0.45 + (1.3 - 0.45) * (STAGES - 100) / 900
    assert cpu(ADVORCH, "pipeline", "run", computed[0], "-q", rounds=2) / typer < goal / TYPER * SLACK


def test_a_cached_run_imports_nothing_heavy_and_starts_no_process(
    folder: Path, environment: dict[str, str], computed: tuple[Path, dict[str, float]]
) -> None:
    said = _said(WATCHED, "pipeline", "run", computed[0], "-o", "ndjson", cwd=folder, env=environment)
    *rows, watched = said.splitlines()
    assert len(rows) == STAGES
    assert {json.loads(row)["status"] for row in rows} == {"cached"}
    assert json.loads(watched) == [[], []]


def test_a_stage_costs_little_over_what_it_does(computed: tuple[Path, dict[str, float]], typer: float) -> None:
    _, cost = computed
    assert cost["stages"] == STAGES
    assert cost["cpu"] / typer < 0.004 / TYPER * SLACK
    assert cost["syncs"] <= 3, "a manifest, its folder, and at first the folder's folder: nothing else must be synced"


def test_the_schema_of_a_component_is_made_once() -> None:
    component = discover().component("attack/pgd")
    assert component.schema() is component.schema()
    assert component.schema() is not component.nested_schema()


def _said(code: str, *arguments: object, cwd: Path, env: dict[str, str]) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _pipeline(folder: Path, stages: int) -> Path:
    path = folder / f"{stages}.yaml"
    lines = [f"  s{number}: {{uses: train/nothing, seed: {number}}}" for number in range(stages)]
    path.write_text("\n".join(["version: 1", "name: speed", "tracking: {mlflow: false}", "stages:", *lines, ""]))
    return path


def _plugins(folder: Path, count: int) -> Path:
    """Distributions as an installer leaves them; each contributes nothing, after importing the plugin contract."""
    for name in (f"fake_{number}" for number in range(count)):
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[advorch.plugins]\nfake = {name}\n")
        code = "from advorch.api import hookimpl\n\n\n@hookimpl\ndef advorch_components():\n    return []\n"
        (folder / f"{name}.py").write_text(code)
    return folder
