"""Lookup by name, comparison between processes, and the hooks that watch and check."""

import logging
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from advorch.errors import Problem, UnknownComponent
from advorch.events import CellFinished, CellReported, CellStarted, RunFinished, RunStarted, Status
from advorch.registry.discovery import discover
from advorch.registry.registry import OBSERVERS, Registry

Install = Callable[..., Path]

SEVERAL = """
    from advorch.api import Objective, Kind

    @hookimpl
    def advorch_components():
        objective = Objective(name="trades", summary="for a test", params=Params, load=_load, stage=Kind.DEFEND)
        return [attack("pgd"), attack("deepfool"), objective]
"""


@pytest.fixture
def registry(install: Install) -> Registry:
    install("advorch-several", SEVERAL, version="0.3", entry_point="several")
    return discover()


def test_components_are_found_by_id(registry: Registry) -> None:
    assert registry.component("attack/pgd").name == "pgd"
    assert registry.find("attack/pgd") is registry.component("attack/pgd")
    assert registry.find("attack/none") is None
    assert registry.owner("defend/trades").distribution == "advorch-several"
    assert registry.ids() == ["attack/deepfool", "attack/pgd", "defend/trades"]
    assert registry.ids("attack") == ["attack/deepfool", "attack/pgd"]
    assert registry.ids("model") == []


UNKNOWN = {
    "attack/pdg": ("no attack is called 'pdg'", "did you mean 'pgd'? attack offers: deepfool, pgd"),
    "train/trades": (
        "no plugin offers anything of kind 'train'",
        "did you mean 'defend/trades'? kinds: attack, defend",
    ),
    "attack/trades": ("no attack is called 'trades'", "did you mean 'defend/trades'? attack offers: deepfool, pgd"),
    "atack/pgd": ("no plugin offers anything of kind 'atack'", "did you mean 'attack/pgd'? kinds: attack, defend"),
    "pgd": ("'pgd' is no component id: write kind/name", "did you mean 'attack/pgd'? kinds: attack, defend"),
    "attack/zzz": ("no attack is called 'zzz'", "attack offers: deepfool, pgd"),
}


@pytest.mark.parametrize("id", UNKNOWN)
def test_an_unknown_name_is_answered_with_a_suggestion(registry: Registry, id: str) -> None:
    message, hint = UNKNOWN[id]
    for look_up in (registry.component, registry.owner):
        with pytest.raises(UnknownComponent) as caught:
            look_up(id)
        told, _, off = caught.value.hint.partition("; switched off: ")
        assert (caught.value.message, told) == (message, hint)
        assert "builtin-attacks" in off, "what `--no-plugin` hides is told, too"


def test_a_broken_plugin_is_mentioned_to_those_who_miss_a_name(install: Install) -> None:
    install("advorch-broken", "\n    raise ImportError")
    with pytest.raises(UnknownComponent) as caught:
        discover().component("attack/gone")
    assert "broken and not considered: advorch-broken 1.0:advorch-broken" in caught.value.hint


def test_the_fingerprint_travels_and_differences_are_listed(registry: Registry) -> None:
    mine = registry.fingerprint()
    assert mine == {"advorch-several": "0.3 [several]"}
    assert registry.difference(pickle.loads(pickle.dumps(mine))) == []
    assert registry.difference({"advorch-several": "0.4 [several]", "advorch-x": "1 [x]"}) == [
        "advorch-several: 0.3 [several] here, 0.4 [several] there",
        "advorch-x: nothing here, 1 [x] there",
    ]
    assert registry.difference({}) == ["advorch-several: 0.3 [several] here, nothing there"]


WATCHER = """
    from pathlib import Path

    def _note(word):
        with open(Path(__file__).parent / "seen.txt", "a") as file:
            file.write(word + "\\n")

    @hookimpl
    def advorch_run_started(event):
        _note(event.name)

    @hookimpl
    def advorch_stage_started():
        _note("stage started, without asking for the event")

    @hookimpl
    def advorch_stage_finished(event):
        _note(event.status)

    @hookimpl
    def advorch_run_finished(event):
        _note(str(event.exit_code))
"""

EVENTS = [
    RunStarted(run="r", pipeline="p", file="f", profile="", executor="inline", storage="s", version="0"),
    CellStarted(cell="c", stage="s", component="attack/pgd", key="k"),
    CellReported(cell="c", step=1, metrics={"loss": 1.0}),
    CellFinished(cell="c", stage="s", component="attack/pgd", status=Status.DONE),
    RunFinished(run="r", exit_code=0, seconds=1.0),
]


def test_observers_see_their_events_whatever_the_others_do(
    install: Install, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("advorch-a", "advorch-z"):
        install(
            name, "".join(f"\n    @hookimpl\n    def {hook}(event):\n        1 / 0\n" for hook in OBSERVERS.values())
        )
    install("advorch-watcher", WATCHER)
    registry = discover()
    with caplog.at_level(logging.ERROR):
        for event in EVENTS:
            registry.observe(event)
    seen = (tmp_path / "seen.txt").read_text().splitlines()
    assert seen == ["run_started", "stage started, without asking for the event", "done", "0"]
    assert len([record for record in caplog.records if "ZeroDivisionError" in str(record.exc_info)]) == 8
    assert "advorch_run_started of plugin advorch-a 1.0:advorch-a failed" in caplog.text


def test_every_observer_hook_has_an_event() -> None:
    from advorch.registry import hookspec

    hooks = {name for name in vars(hookspec) if name.startswith("advorch_")}
    assert hooks == {*OBSERVERS.values(), "advorch_components", "advorch_check_plan"}


def test_plans_are_checked_by_every_plugin_that_can(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install("advorch-a", "\n    @hookimpl\n    def advorch_check_plan(plan):\n        raise RuntimeError('mine')")
    install("advorch-b", "\n    @hookimpl\n    def advorch_check_plan(plan):\n        return ['no problem']")
    install("advorch-c", "\n    @hookimpl\n    def advorch_check_plan(plan):\n        return None")
    checks = """
    from advorch.api import Problem

    @hookimpl
    def advorch_check_plan(plan):
        yield Problem(code="P001", message=f"{plan} is wrong")
    """
    install("advorch-d", checks)
    problems = discover().check_plan("the plan")
    assert problems == [Problem(code="P001", message="the plan is wrong")]
    assert "plugin advorch-a 1.0:advorch-a failed" in caplog.text
    assert "returned str, not advorch.api.Problem" in caplog.text
    assert "advorch-c" not in caplog.text


def test_hooks_of_broken_plugins_are_not_called(install: Install, tmp_path: Path) -> None:
    install("advorch-watcher", WATCHER + "\n    @hookimpl\n    def advorch_components():\n        return 7")
    discover().observe(EVENTS[0])
    assert not (tmp_path / "seen.txt").exists()
