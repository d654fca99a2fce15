"""The source digest: what must change it, what must not, and that nothing is imported to find out."""

import importlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advorch.api import Access, AnyComponent, Norm, ThreatModel
from advorch.registry.source import KIT, source_digest
from advorch.testing.distributions import write_distribution

CATALOG = """
    from functools import lru_cache, partial
    from typing import Annotated

    from pydantic import Field

    from advorch.api import Access, Attack, AttackFn, Norm, Params, ThreatModel, hookimpl
    from studio.shapes import Base

    Depth = Annotated[int, Field(ge=1)]
    LIMIT = 3


    def clipped(value):
        return min(value, LIMIT)


    class FirstParams(Base):
        depth: Depth = 1

        def effective(self):
            return clipped(self.depth)


    class SecondParams(Base):
        width: "Depth" = 2


    def _first():
        from studio.first import perturb

        return perturb


    def _second():
        from .inner.second import perturb

        return perturb


    @lru_cache
    def _cached():
        from studio.first import perturb

        return perturb


    def _by_string():
        import importlib

        return importlib.import_module("studio." + "first").perturb


    THREAT = ThreatModel(access=Access.NOTHING, norms=frozenset({Norm.LINF}))


    def attack(name, params, load):
        return Attack(name=name, summary="for a test", params=params, threat=THREAT, load=load)


    @hookimpl
    def advorch_components():
        return [
            attack("first", FirstParams, _first),
            attack("second", SecondParams, _second),
            attack("cached", FirstParams, _cached),
            attack("string", FirstParams, _by_string),
            attack("lambda", FirstParams, lambda: _first()),
            attack("partial", FirstParams, partial(_first)),
        ]
"""

FILES = {
    "studio/__init__.py": "GREETING = 'hello'\n",
    "studio/catalog.py": CATALOG,
    "studio/shapes.py": "from advorch.api import Params\n\n\nclass Base(Params):\n    seed: int = 0\n",
    "studio/first.py": (
        "raise AssertionError('a digest is no reason to import')\n"
        "import torch\nimport helpers\nimport stranger\n"
        "from studio.catalog import FirstParams\nfrom studio import tools\n"
        "def perturb():\n    from studio.late import something\n"
    ),
    "studio/late.py": "if True:\n    try:\n        from . import deep\n    except ImportError:\n        pass\n",
    "studio/deep.py": "depth = 1\n",
    "studio/tools/__init__.py": "",
    "studio/tools/hammer.py": "unused = 1\n",
    "studio/inner/__init__.py": "from ..deep import depth\n",
    "studio/inner/second.py": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from studio.unused import Name\n"
        "from studio.catalog import SecondParams as P\n"
    ),
    "studio/unused.py": "Name = 1\n",
    "helpers.py": "from studio.deep import depth\n",
}


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A plugin with a package and a second top-level module, and a stranger installed elsewhere."""
    before = set(sys.modules)
    folder, elsewhere = tmp_path / "plugin", tmp_path / "elsewhere"
    write_distribution(folder, "advorch-studio", entry_points={"studio": "studio.catalog"}, files=FILES)
    write_distribution(elsewhere, "stranger", entry_points={}, files={"stranger.py": "odd = 1\n"})
    monkeypatch.syspath_prepend(elsewhere)
    monkeypatch.syspath_prepend(folder)
    yield folder
    for module in set(sys.modules) - before:
        if module.split(".")[0] in {"studio", "helpers", "stranger"}:
            del sys.modules[module]


def components() -> dict[str, AnyComponent]:
    catalog: Any = importlib.import_module("studio.catalog")
    return {component.name: component for component in catalog.advorch_components()}


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def change(old: str, new: str) -> Callable[[Path], None]:
    def edit(studio: Path) -> None:
        path = studio / "studio/catalog.py"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return edit


def touch(name: str) -> Callable[[Path], None]:
    return lambda studio: append(studio / name, "\nmore = 1\n")


WHOLE = {"string", "lambda", "partial"}  # thunks that cannot be followed: their whole module counts
FIRST = {"first", "cached"} | WHOLE
SECOND = {"second"} | WHOLE
ALL = FIRST | SECOND

# what is edited -> who must notice
EDITS: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "the implementation": (touch("studio/first.py"), FIRST),
    "another implementation": (touch("studio/inner/second.py"), SECOND),
    "a helper imported in a function": (touch("studio/late.py"), FIRST),
    "a helper of helpers": (touch("studio/deep.py"), ALL),
    "the init of a parent": (touch("studio/inner/__init__.py"), SECOND),
    "the init of the package": (touch("studio/__init__.py"), ALL),
    "an imported subpackage": (touch("studio/tools/__init__.py"), FIRST),
    "a sibling that nobody imports": (touch("studio/tools/hammer.py"), WHOLE),
    "what only type checkers import": (touch("studio/unused.py"), WHOLE),
    "a second top-level module": (touch("helpers.py"), FIRST),
    "a stranger": (touch("../elsewhere/stranger.py"), set()),
    "a base of all parameters": (touch("studio/shapes.py"), ALL),
    "one parameter class": (change("depth: Depth = 1", "depth: Depth = 2"), FIRST),
    "a helper of a parameter class": (change("LIMIT = 3", "LIMIT = 4"), FIRST),
    "a quoted annotation": (change("Field(ge=1)", "Field(ge=2)"), ALL),
    "another parameter class": (change("width: ", "length: "), SECOND),
    "a thunk": (change("second import perturb", "second import P as perturb"), SECOND),
    "what runs when the catalog is imported": (change("LIMIT = 3\n", "LIMIT = 3\nprint(LIMIT)\n"), ALL),
    "prose": (change("for a test", "for a test!"), WHOLE),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_changes_the_digests_of_those_who_use_it(studio: Path, edit: str) -> None:
    known = components()
    cache: dict[Any, Any] = {}
    before = {name: source_digest(component, cache=cache) for name, component in known.items()}
    act, expected = EDITS[edit]
    act(studio)
    after = {name: source_digest(component, cache=cache) for name, component in known.items()}
    assert {name for name in known if before[name] != after[name]} == expected
    assert after == {name: source_digest(component) for name, component in known.items()}


def test_nothing_of_the_implementation_is_imported(studio: Path) -> None:
    for component in components().values():
        source_digest(component)
    assert {"studio.first", "studio.inner", "helpers", "stranger"}.isdisjoint(sys.modules)


def test_the_place_of_installation_does_not_count(studio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: source_digest(component) for name, component in components().items()}
    moved = studio.parent / "moved"
    studio.rename(moved)
    monkeypatch.syspath_prepend(moved)
    for name in [name for name in sys.modules if name.split(".")[0] == "studio"]:
        del sys.modules[name]
    assert {name: source_digest(component) for name, component in components().items()} == before


def test_an_installed_wheel_is_known_by_its_record(studio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In site-packages everybody lives in one folder: the installer's list says who came along."""
    info = studio / "advorch_studio-1.0.dist-info"
    write_distribution(studio, "stranger-too", entry_points={}, files={"stranger.py": "odd = 2\n"})
    files = [path.relative_to(studio).as_posix() for path in studio.rglob("*.py") if path.name != "stranger.py"]
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in files), encoding="utf-8")
    first = components()["first"]
    before = source_digest(first)
    append(studio / "stranger.py", "more = 1\n")
    assert source_digest(first) == before
    append(studio / "helpers.py", "more = 1\n")
    assert source_digest(first) != before


def test_the_description_counts_and_its_prose_does_not(studio: Path) -> None:
    first = components()["first"]
    threat = ThreatModel(access=Access.NOTHING, norms=frozenset({Norm.LINF}), stochastic=True)
    assert source_digest(replace(first, summary="other words")) == source_digest(first)
    assert source_digest(replace(first, threat=threat)) != source_digest(first)
    assert source_digest(replace(first, name="third")) != source_digest(first)
    assert source_digest(replace(first, metrics=frozenset({"loss"}))) != source_digest(first)


def test_any_file_of_the_kit_counts(studio: Path, tmp_path: Path) -> None:
    kit, same = tmp_path / "kit", tmp_path / "same"
    shutil.copytree(KIT, kit, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(kit, same)
    first = components()["first"]
    assert source_digest(first, kit=kit) == source_digest(first, kit=same)
    append(kit / "attack" / "draws.py", "\n")
    changed = source_digest(first, kit=kit)
    assert changed != source_digest(first, kit=same)
    (kit / "adversary" / "new.py").write_text("")
    assert source_digest(first, kit=kit) != changed


def test_sixty_components_read_each_file_once(studio: Path) -> None:
    """Of two times in turns, so that a slow machine is slow at both."""
    several = [component for component in components().values() if component.name in {"first", "second"}] * 30
    together, apart = (min(_cpu_seconds(several, alone) for _ in range(2)) for alone in (False, True))
    assert together < apart / 3


def _cpu_seconds(several: list[AnyComponent], alone: bool) -> float:
    cache: dict[Any, Any] = {}
    begin = time.process_time()
    for component in several:
        source_digest(component, cache={} if alone else cache)
    return time.process_time() - begin
