"""A folder on `sys.path` into which tests install plugins, and none of the built-ins."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from advorch.testing.distributions import write_distribution

Install = Callable[..., Path]

ATTACK = """
    from advorch.api import Access, Attack, Norm, Params, ThreatModel, hookimpl

    def _load():
        raise AssertionError("nothing here may load an implementation")

    def attack(name, **more):
        threat = ThreatModel(access=Access.NOTHING, norms=frozenset({Norm.LINF}))
        return Attack(name=name, summary="for a test", params=Params, threat=threat, load=_load, **more)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Write a distribution of one module and one entry point; its modules are forgotten after the test."""
    before = set(sys.modules)
    monkeypatch.setenv("ADVORCH_NO_PLUGINS", "advorch")
    monkeypatch.delenv("ADVORCH_STRICT_PLUGINS", raising=False)
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, source: str, *, entry_point: str = "", version: str = "1.0") -> Path:
        module = name.replace("-", "_")
        files = {f"{module}.py": ATTACK.rstrip() + "\n" + source}
        entries = {entry_point or name: module}
        return write_distribution(tmp_path, name, entry_points=entries, files=files, version=version)

    yield write
    for module in set(sys.modules) - before:
        if str(getattr(sys.modules[module], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[module]
