"""Importing does nothing, and light commands stay light."""

import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import advorch

ROOT = Path(__file__).parents[2]
HEAVY = ["torch", "ray", "mlflow", "pandas", "matplotlib", "sklearn", "optuna"]

PIPELINE = ROOT / "pipelines/quickstart.yaml"
LIGHT = [
    ["--help"],
    ["pipeline", "--help"],
    ["plugin", "list"],
    ["plugin", "show", "attack/pgd"],
    ["pipeline", "validate", str(PIPELINE)],
    ["pipeline", "plan", str(PIPELINE)],
    ["pipeline", "graph", str(PIPELINE)],
    ["schema"],
    ["run", "list"],
    ["cache", "list"],
    ["cluster", "render"],
    ["cluster", "render", "--launcher"],
]


def modules_after(code: str, cwd: Path) -> set[str]:
    tell = "print('\\n' + json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    script = f"{code}\nimport sys, json; {tell}"
    done = subprocess.run([sys.executable, "-c", script], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_light_commands_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    code = f"""
import sys
from advorch.cli.app import main
sys.argv = ["advorch", *{arguments!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
    assert not modules_after(code, tmp_path).intersection(HEAVY)


def test_help_renders_without_rich_pydantic_or_yaml(tmp_path: Path) -> None:
    code = """
import sys
from advorch.cli.app import main
sys.argv = ["advorch", "--help"]
try:
    main()
except SystemExit:
    ...
"""
    assert not modules_after(code, tmp_path).intersection({"rich", "yaml", "pluggy"})


def test_the_contract_of_plugins_is_cheap(tmp_path: Path) -> None:
    assert not modules_after("import advorch.api", tmp_path).intersection([*HEAVY, "typer", "yaml", "numpy"])


def module_names() -> list[str]:
    return [name for _, name, _ in pkgutil.walk_packages(advorch.__path__, "advorch.") if "mlflow_sink" not in name]


def test_every_module_imports_alone_without_a_warning() -> None:
    for name in module_names():
        importlib.import_module(name)


def test_no_handler_thread_or_environment_change_on_import(tmp_path: Path) -> None:
    code = """
import logging, os, threading
before = dict(os.environ), list(logging.getLogger().handlers), threading.active_count()
import advorch.api, advorch.session.pipeline, advorch.cli.app, advorch.engine.driver
assert (dict(os.environ), list(logging.getLogger().handlers), threading.active_count()) == before
"""
    modules_after(code, tmp_path)
