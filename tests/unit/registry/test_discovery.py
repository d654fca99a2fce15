"""Discovery as it happens after `pip install`: modules and metadata on `sys.path`."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advorch.errors import BrokenPlugin, DuplicateComponent
from advorch.registry.discovery import discover
from advorch.registry.plugin import Plugin
from advorch.registry.registry import Registry

Install = Callable[..., Path]

GOOD = """
    @hookimpl
    def advorch_components():
        return [attack("good")]
"""


def plugin(registry: Registry, distribution: str) -> Plugin:
    return next(one for one in registry.plugins if one.distribution == distribution)


def test_a_plugin_is_recorded_with_its_origin(install: Install) -> None:
    install("advorch-good", GOOD, version="2.1", entry_point="fine")
    found = plugin(discover(), "advorch-good")
    assert found.name == "advorch-good 2.1:fine"
    assert (found.version, found.entry_point, found.module) == ("2.1", "fine", "advorch_good")
    assert [component.id for component in found.components] == ["attack/good"]
    assert found.works
    assert found.seconds > 0


BROKEN = {
    "raises on import": ("raise ImportError('no such\\n  library')", "ImportError: no such library"),
    "exits on import": ("raise SystemExit(3)", "SystemExit: 3"),
    "hook raises": (
        "@hookimpl\n    def advorch_components():\n        raise KeyError('x')",
        "KeyError: 'x'",
    ),
    "generator raises": (
        "@hookimpl\n    def advorch_components():\n        yield attack('half')\n        raise ValueError('late')",
        "ValueError: late",
    ),
    "misspelt hook": (
        "@hookimpl\n    def advorch_component():\n        return []",
        "advorch_component",
    ),
    "hook takes more than it is offered": (
        "@hookimpl\n    def advorch_components(registry):\n        return []",
        "registry",
    ),
    "no hook": ("def advorch_components():\n        return [attack('x')]", "@hookimpl"),
    "wrapper": ("@hookimpl(wrapper=True)\n    def advorch_components():\n        return (yield)", "wrapper"),
    "not an iterable": ("@hookimpl\n    def advorch_components():\n        return 7", "returned int, not an iterable"),
    "none": ("@hookimpl\n    def advorch_components():\n        pass", "returned NoneType, not an iterable"),
    "no components": ("@hookimpl\n    def advorch_components():\n        return ['pgd']", "contributed str"),
    "newer api": (
        "@hookimpl\n    def advorch_components():\n        return [attack('new', api=2)]",
        "'new' is written for plugin API 2; this advorch offers 1",
    ),
    "bad name": (
        "@hookimpl\n    def advorch_components():\n        return [attack('Bad Name')]",
        "'Bad Name' is no component name",
    ),
    "params of another kind": (
        (
            "@hookimpl\n    def advorch_components():\n        import dataclasses\n"
            "        return [dataclasses.replace(attack('odd'), params=dict)]"
        ),
        "params of 'odd' is no subclass",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_disables_nobody_else(install: Install, case: str) -> None:
    source, reason = BROKEN[case]
    install("advorch-alpha", GOOD)
    install("advorch-broken", "\n    " + source)
    install("advorch-zulu", GOOD.replace("good", "also-good"))
    registry = discover()
    broken = plugin(registry, "advorch-broken")
    assert reason in broken.error
    assert "\n" not in broken.error
    assert broken.components == ()
    assert not broken.works
    assert registry.ids() == ["attack/also-good", "attack/good"]


def test_strictness_makes_broken_plugins_fatal(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("advorch-broken", "\n    raise ImportError('no such library')")
    discover()
    with pytest.raises(BrokenPlugin, match=r"advorch-broken 1\.0:advorch-broken: ImportError: no such library"):
        discover(strict=True)
    monkeypatch.setenv("ADVORCH_STRICT_PLUGINS", "1")
    with pytest.raises(BrokenPlugin):
        discover()
    assert discover(disabled=["advorch-broken"]).ids() == []


def test_two_owners_of_a_name_are_both_named(install: Install) -> None:
    install("advorch-one", GOOD, version="0.1")
    install("advorch-two", GOOD, version="9.9")
    with pytest.raises(DuplicateComponent) as caught:
        discover()
    assert caught.value.message == (
        "attack/good is provided by advorch-one 0.1 (advorch-one) and by advorch-two 9.9 (advorch-two)"
    )
    assert "--no-plugin advorch-one or --no-plugin advorch-two" in caught.value.hint
    assert discover(disabled=["advorch_one"]).owner("attack/good").version == "9.9"


def test_a_name_contributed_twice_by_one_plugin_is_an_error(install: Install) -> None:
    install(
        "advorch-twice", "\n    @hookimpl\n    def advorch_components():\n        return [attack('a'), attack('a')]"
    )
    with pytest.raises(DuplicateComponent, match="attack/a"):
        discover()


def test_equal_entry_point_names_do_not_hide_each_other(install: Install) -> None:
    install("advorch-one", GOOD, entry_point="attacks")
    install("advorch-two", GOOD.replace("good", "other"), entry_point="attacks")
    assert discover().ids() == ["attack/good", "attack/other"]


@pytest.mark.parametrize("name", ["advorch-one", "Advorch.One", "attacks", "advorch-one:attacks"])
def test_a_plugin_is_switched_off_by_each_of_its_names(install: Install, name: str) -> None:
    install("advorch-one", "\n    raise ImportError", entry_point="attacks")
    registry = discover(disabled=[name])
    off = plugin(registry, "advorch-one")
    assert off.disabled
    assert off.state == "disabled"
    assert off.error == ""  # it was not even imported
    assert "advorch-one" not in registry.fingerprint()


def test_the_environment_switches_off_too(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("advorch-one", GOOD)
    install("advorch-two", GOOD.replace("good", "other"))
    monkeypatch.setenv("ADVORCH_NO_PLUGINS", "advorch, advorch-one")
    assert discover().ids() == ["attack/other"]


def test_other_entry_points_of_a_distribution_stay(install: Install) -> None:
    install("advorch-one", GOOD, entry_point="attacks")
    assert discover(disabled=["advorch-one:models"]).ids() == ["attack/good"]


def test_a_name_that_disables_nothing_is_warned_of(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install("advorch-one", GOOD)
    discover(disabled=["advorch-won"])
    assert "'advorch-won'" in caplog.text


def test_plugins_come_in_the_order_of_their_names(install: Install) -> None:
    for name in ("advorch-c", "advorch-a", "advorch-b"):
        install(name, GOOD.replace("good", name))
    own = [one.distribution for one in discover().plugins if one.works]
    assert own == ["advorch-a", "advorch-b", "advorch-c"]


def fresh(tmp_path: Path, code: str, **environment: str) -> str:
    """Run code in a new interpreter that finds the plugins of the test."""
    path = os.pathsep.join([str(tmp_path), *(entry for entry in sys.path if entry)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_heavy_import_at_discovery_is_noticed(install: Install, tmp_path: Path) -> None:
    (tmp_path / "mlflow.py").write_text("")
    install("advorch-heavy", "\n    import mlflow" + GOOD)
    code = "from advorch.registry.discovery import discover\n"
    code += "print([p.heavy for p in discover().plugins if p.works])"
    assert fresh(tmp_path, code) == "[('mlflow',)]"


def test_discovery_of_everything_installed_imports_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys; from advorch.registry.discovery import discover; registry = discover()\n"
    code += "print(sorted({'torch', 'ray', 'mlflow', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    assert fresh(tmp_path, code, ADVORCH_NO_PLUGINS="") == "[]"


def test_importing_discovery_is_cheap(tmp_path: Path) -> None:
    code = "import sys, advorch.registry.discovery\n"
    code += "print(sorted({'torch', 'numpy', 'ray', 'mlflow', 'typer', 'yaml', 'rich'} & set(sys.modules)))"
    assert fresh(tmp_path, code) == "[]"


def test_entry_points_of_the_installed_advorch_are_those_of_pyproject() -> None:
    import tomllib
    from importlib.metadata import distribution

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    declared: dict[str, Any] = project["project"]["entry-points"]["advorch.plugins"]
    installed = {
        entry.name: entry.value for entry in distribution("advorch").entry_points.select(group="advorch.plugins")
    }
    assert installed == declared, "entry points are read from installed metadata: run `pip install -e .` again"
