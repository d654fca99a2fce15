"""The guide for plugin authors is executed and complete: every hook with its signature, every block of code."""

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from advorch.registry import hookspec
from advorch.registry.discovery import discover
from advorch.testing.contract import Verdict, checks_for
from advorch.testing.distributions import write_distribution

GUIDE = (Path(__file__).parents[3] / "docs" / "writing-a-plugin.md").read_text(encoding="utf-8")
HOOKS = {name: found for name, found in vars(hookspec).items() if name.startswith("advorch_")}


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", GUIDE, flags=re.DOTALL)
    return next(text for text in blocks if containing in text)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_with_its_signature(name: str) -> None:
    signature = re.sub(r"['\"]", "", str(inspect.signature(HOOKS[name])))
    signature = re.sub(r"\b(typing|collections\.abc)\.", "", signature)
    assert f"### `{name}{signature}`" in GUIDE


def test_no_hook_is_documented_that_is_not_there() -> None:
    assert set(re.findall(r"### `(advorch_\w+)\(", GUIDE)) == set(HOOKS)


@pytest.fixture
def climb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The guide's plugin, installed as it is printed, beside the built-ins: its names must be nobody's."""
    entry = re.search(r'(?m)^(advorch-climb) = "(advorch_climb)"$', block("toml", "entry-points"))
    assert entry
    files = {
        "advorch_climb/__init__.py": block("python", "class ClimbParams"),
        "advorch_climb/attack.py": block("python", "def perturb"),
    }
    write_distribution(tmp_path, "advorch-climb", entry_points={entry[1]: entry[2]}, files=files)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for module in [name for name in sys.modules if name.split(".")[0] == "advorch_climb"]:
        del sys.modules[module]


def test_the_plugin_of_the_guide_keeps_the_contract(climb: Path) -> None:
    torch.set_num_threads(1)
    component = discover(strict=True).component("attack/climb")
    results = [check.result() for check in checks_for(component)]
    broken = [f"{result.check}: {result.reason}" for result in results if result.verdict is Verdict.BROKEN]
    assert broken == []


def test_the_test_of_the_guide_is_python(climb: Path) -> None:
    code: Callable[..., object] = compile(block("python", "checks_for(ATTACK)"), "guide", "exec")  # type: ignore[assignment]
    namespace: dict[str, object] = {}
    exec(code, namespace)  # type: ignore[arg-type]
    assert callable(namespace["test_contract"])
