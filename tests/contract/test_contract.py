"""The public contract suite over every component of every installed plugin."""

import pytest
import torch

from advorch.registry.discovery import discover
from advorch.testing.contract import Check, NotApplicable, checks_for
from advorch.testing.plugins import plugin_checks

REGISTRY = discover()
CHECKS = [(id, check) for id in REGISTRY.ids() for check in checks_for(REGISTRY.component(id))]
PLUGINS = [(plugin.name, check) for plugin in REGISTRY.plugins for check in plugin_checks(plugin, REGISTRY.plugins)]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize(("subject", "check"), CHECKS, ids=[f"{id}: {check.name}" for id, check in CHECKS])
def test_component(subject: str, check: Check) -> None:
    try:
        check.run()
    except NotApplicable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize(("subject", "check"), PLUGINS, ids=[f"{name}: {check.name}" for name, check in PLUGINS])
def test_plugin(subject: str, check: Check) -> None:
    check.run()


def test_every_family_is_there() -> None:
    """A door that nobody uses would not be tried."""
    families = {REGISTRY.component(id).family for id in REGISTRY.ids()}
    assert {"attack", "objective", "generate", "evaluate", "dataset", "model"} <= families
