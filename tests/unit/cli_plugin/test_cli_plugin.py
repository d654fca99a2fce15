"""`advorch plugin`, `advorch schema` and `advorch doctor`, as they are typed."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from advorch.cli import examination, plugin
from advorch.cli.doctor import doctor_command
from advorch.cli.schema import schema_command
from advorch.errors import PluginError, UnknownComponent
from advorch.testing.distributions import write_distribution

Install = Callable[[str, str], Path]

GOOD = """
from typing import Annotated, Literal
from pydantic import Field
from advorch.api import Access, Attack, AttackRef, Goal, Norm, Params, ThreatModel, hookimpl

class TwistParams(Params):
    angle: Annotated[float, Field(gt=0, le=90, description="degrees")] = 30.0
    way: Literal["left", "right"] = "left"
    sizes: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2)
    surrogate: AttackRef | None = None
    lambda_: Annotated[float, Field(alias="lambda")]

def _load():
    def perturb(victim, x, y, params, rng):
        return x
    return perturb

THREAT = ThreatModel(access=Access.LABELS, norms=frozenset({Norm.LINF}), goals=frozenset(Goal), stochastic=True)
ATTACK = Attack(name="twist", summary="turns things", params=TwistParams, threat=THREAT, load=_load)

@hookimpl
def advorch_components():
    return [ATTACK]
"""
BROKEN = "raise ImportError('libtwist is missing')\n"
HEAVY = "import mlflow\n" + GOOD.replace('"twist"', '"heavy"')


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    before = set(sys.modules)
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.setenv("ADVORCH_NO_PLUGINS", "advorch")
    monkeypatch.setenv("ADVORCH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ADVORCH_STRICT_PLUGINS", raising=False)
    monkeypatch.syspath_prepend(site)

    def write(name: str, source: str) -> Path:
        module = name.replace("-", "_")
        write_distribution(site, name, entry_points={name: module}, files={f"{module}.py": source}, version="1.2")
        return site

    yield write
    for module in set(sys.modules) - before:
        if str(getattr(sys.modules[module], "__file__", "")).startswith(str(site)):
            del sys.modules[module]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(plugin.app, list(arguments))


def test_list_names_everything_and_everybody(install: Install) -> None:
    install("advorch-twist", GOOD)
    install("advorch-sick", BROKEN)
    done = run("list", "-o", "ndjson", "--no-plugin", "nobody")
    assert done.exit_code == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    by_state = {row["state"]: row for row in rows}
    assert by_state["ok"]["id"] == "attack/twist"
    assert (by_state["ok"]["distribution"], by_state["ok"]["version"]) == ("advorch-twist", "1.2")
    assert by_state["broken"]["summary"] == "advorch-sick: ImportError: libtwist is missing"
    assert by_state["disabled"]["distribution"] == "advorch"
    table = run("list").stdout.splitlines()
    assert table[0].split() == ["id", "summary", "distribution", "version", "state"]
    assert any("attack/twist" in line and line.endswith("ok") for line in table)


def test_list_filters_by_kind_and_switches_off(install: Install) -> None:
    install("advorch-twist", GOOD)
    assert "attack/twist" in run("list", "--kind", "attack").stdout
    other = run("list", "--kind", "model")
    assert "attack/twist" not in other.stdout
    assert "no plugin offers anything of kind 'model'; kinds: attack" in other.stderr
    assert "attack/twist" not in run("list", "--no-plugin", "advorch-twist").stdout


def test_show_tells_threat_ports_and_parameters(install: Install) -> None:
    install("advorch-twist", GOOD)
    text = run("show", "attack/twist").stdout
    lines = {line.split("  ")[0]: " ".join(line.split()) for line in text.splitlines() if line}
    assert lines["summary"] == "summary turns things"
    assert lines["access"] == "access labels"
    assert lines["goals"] == "goals targeted, untargeted"
    assert lines["stochastic"] == "stochastic yes"
    assert lines["inputs"] == "inputs model: model, data: dataset"
    assert lines["angle"] == "angle number 30.0 > 0, <= 90 degrees"
    assert lines["way"] == "way left | right left"
    assert lines["sizes"] == "sizes list of integer 1, 2 >= 1"
    assert lines["surrogate"] == "surrogate AttackRef | null none"
    assert lines["lambda"] == "lambda number required"
    assert lines["epsilon"].startswith("epsilon number required >= 0")


def test_show_is_data_too(install: Install) -> None:
    install("advorch-twist", GOOD)
    (shown,) = json.loads(run("show", "attack/twist", "-o", "json").stdout)
    parameters = {row["name"]: row for row in shown["parameters"]}
    assert parameters["angle"]["default"] == 30.0
    assert parameters["angle"]["of"] == "component"
    assert parameters["epsilon"]["of"] == "host"
    assert parameters["lambda"]["required"]


def test_show_of_an_unknown_component_suggests(install: Install) -> None:
    install("advorch-twist", GOOD)
    done = run("show", "attack/twits")
    assert isinstance(done.exception, UnknownComponent)
    assert "did you mean 'twist'?" in done.exception.hint


def test_check_finds_what_is_broken_and_exits_with_3(install: Install) -> None:
    install("advorch-twist", GOOD.replace('alias="lambda")]', 'alias="lambda")] = 1.0'))
    done = run("check", "attack/twist")
    assert done.exit_code == plugin.FAILED == 3
    lines = done.stdout.splitlines()
    assert "ok       advorch-twist 1.2:advorch-twist  is discovered" in lines
    assert any(line.startswith("broken   attack/twist  moves every sample: linear model") for line in lines)
    assert any(line.startswith("skipped  attack/twist  pursues its target: ") for line in lines)
    assert "broken" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["advorch-twist", "Advorch.Twist", "advorch-twist:advorch-twist"])
def test_check_takes_every_name_of_a_plugin(install: Install, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from advorch.testing import contract

    monkeypatch.setattr(contract, "checks_for", lambda component: [])
    install("advorch-twist", GOOD)
    done = run("check", name)
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 2


def test_check_reports_a_plugin_that_does_not_load(install: Install) -> None:
    install("advorch-sick", BROKEN)
    done = run("check", "advorch-sick")
    assert done.exit_code == 3
    assert "is discovered: ImportError: libtwist is missing" in done.stdout


def test_check_reports_heavy_imports_that_others_hide(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured alone in a fresh process: here another plugin has imported the same library before."""
    from advorch.testing import contract

    monkeypatch.setattr(contract, "checks_for", lambda component: [])
    site = install("advorch-heavy", HEAVY)
    install("advorch-first", HEAVY.replace('"heavy"', '"first"'))
    (site / "mlflow.py").write_text("")
    done = run("check", "advorch-heavy")
    assert done.exit_code == 3
    assert "imports nothing heavy and fast: imports mlflow at discovery" in done.stdout


def test_check_of_nobody_suggests(install: Install) -> None:
    install("advorch-twist", GOOD)
    done = run("check", "advorch-twits")
    assert isinstance(done.exception, PluginError)
    assert done.exception.exit_code == 3
    assert done.exception.hint == "did you mean 'advorch-twist'?"


def test_new_says_where_and_what_next(install: Install, tmp_path: Path) -> None:
    done = run("new", "advorch-mine", "--into", str(tmp_path))
    assert done.exit_code == 0
    assert done.stdout.strip() == str(tmp_path / "advorch-mine")
    assert f"pip install -e {tmp_path / 'advorch-mine'}" in done.stderr


def test_listing_starts_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom advorch.cli import plugin\n"
        "try:\n    plugin.app(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'ray', 'mlflow', 'matplotlib', 'sklearn', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    for arguments in (["--help"], ["list"], ["show", "attack/pgd"]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        assert done.stderr.splitlines()[-1] == "[]", arguments


# ---- schema


def command(function: Callable[..., None]) -> typer.Typer:
    app = typer.Typer()
    app.command()(function)
    return app


def test_the_schema_knows_installed_parameters(install: Install) -> None:
    install("advorch-twist", GOOD)
    schema = json.loads(CliRunner().invoke(command(schema_command), []).stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    text = json.dumps(schema)
    assert "attack/twist" in text
    assert '"angle"' in text
    without = CliRunner().invoke(command(schema_command), ["--no-plugin", "advorch-twist"]).stdout
    assert "attack/twist" not in without


# ---- doctor


def doctor(*arguments: str) -> tuple[int, dict[str, dict[str, str]], str]:
    done = CliRunner().invoke(command(doctor_command), ["-o", "json", *arguments])
    return done.exit_code, {row["what"]: row for row in json.loads(done.stdout)}, done.stderr


@pytest.fixture
def healthy(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, no GPU driver, no listeners."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    monkeypatch.setattr(examination.shutil, "which", lambda program: None)
    monkeypatch.setattr(examination, "_answers", lambda address, port: False)
    monkeypatch.setattr(examination, "ENOUGH_DISK", 1)
    return tmp_path


def test_a_healthy_machine(healthy: Path) -> None:
    code, found, _ = doctor()
    assert code == 0
    assert {"python", "torch", "ray", "mlflow", "workspace", "free disk", "gpus", "ray token", "port 6379"} <= set(
        found
    )
    assert {row["state"] for row in found.values()} <= {"ok", "note"}
    assert found["workspace"]["detail"] == str(healthy / "home")
    assert not (healthy / "home").exists()


def test_broken_plugins_make_the_doctor_frown(healthy: Path, install: Install) -> None:
    install("advorch-sick", BROKEN)
    code, found, said = doctor()
    assert code == 8
    assert found["plugin advorch-sick"]["state"] == "problem"
    assert "--no-plugin advorch-sick" in said
    assert doctor("--no-plugin", "advorch-sick")[0] == 0


def test_tokens_that_others_can_read(healthy: Path) -> None:
    token = healthy / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("secret")
    token.chmod(0o644)
    code, found, said = doctor()
    assert (code, found["ray token"]["state"]) == (8, "problem")
    assert f"chmod 600 {token}" in said
    assert "secret" not in said
    token.chmod(stat.S_IRUSR | stat.S_IWUSR)
    assert doctor()[0] == 0


def test_a_full_disk(healthy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "ENOUGH_DISK", 1 << 60)
    code, found, _ = doctor()
    assert (code, found["free disk"]["state"]) == (8, "problem")


def test_a_library_that_is_not_there(healthy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "LIBRARIES", ("torch", "no-such-library-at-all"))
    code, found, _ = doctor()
    assert (code, found["no-such-library-at-all"]["detail"]) == (8, "not installed")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_workspace_that_cannot_be_written(healthy: Path) -> None:
    healthy.joinpath("home").mkdir(mode=0o500)
    assert doctor()[1]["workspace"]["state"] == "problem"


def test_a_workspace_that_is_a_file(healthy: Path) -> None:
    healthy.joinpath("home").write_text("in the way")
    code, found, _ = doctor()
    assert (code, found["workspace"]["state"]) == (8, "problem")


DRIVERS = {
    "two cards": ("echo 'H100, 81559 MiB, 550.1'; echo 'H100, 81559 MiB, 550.1'", "ok", "H100"),
    "no driver": ("echo 'NVIDIA-SMI has failed' >&2; exit 9", "problem", "NVIDIA-SMI has failed"),
}


@pytest.mark.parametrize("driver", DRIVERS)
def test_gpus_are_asked_for(healthy: Path, monkeypatch: pytest.MonkeyPatch, driver: str) -> None:
    script, state, detail = DRIVERS[driver]
    program = healthy / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(examination.shutil, "which", lambda name: str(program))
    found = doctor()[1]["gpus"]
    assert found["state"] == state
    assert detail in found["detail"]


def test_ports_in_use_are_told_and_open_ones_twice(healthy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "_outside_address", lambda: "10.0.0.5")
    monkeypatch.setattr(examination, "_answers", lambda address, port: address == "127.0.0.1" and port == 8265)
    code, found, _ = doctor()
    assert (code, found["port 8265"]["state"]) == (0, "note")
    assert "on this machine alone" in found["port 8265"]["detail"]
    monkeypatch.setattr(examination, "_answers", lambda address, port: port == 6379)
    code, found, said = doctor()
    assert (code, found["port 6379"]["detail"]) == (0, "in use (Ray head), and open on 10.0.0.5")
    assert "private network" in said


def test_a_listener_is_noticed() -> None:
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert examination._answers("127.0.0.1", port)
    assert not examination._answers("127.0.0.1", port)
