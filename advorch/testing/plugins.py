"""What a plugin as a whole promises: it loads, and its being installed costs nobody anything."""

from collections.abc import Iterable
from functools import partial

from advorch.registry.cost import measure
from advorch.registry.plugin import Plugin
from advorch.testing.check import Check, NotApplicable, demand

MOST_SECONDS = 1.0  # of import and description; the built-ins take a few hundredths


def plugin_checks(plugin: Plugin, installed: Iterable[Plugin]) -> list[Check]:
    """Checks of one entry point among all that are installed."""
    return [
        Check("is discovered", partial(_is_discovered, plugin)),
        Check("imports nothing heavy and fast", partial(_is_cheap, plugin, tuple(installed))),
    ]


def _is_discovered(plugin: Plugin) -> None:
    if plugin.disabled:
        raise NotApplicable("switched off")
    demand(not plugin.error, plugin.error)


def _is_cheap(plugin: Plugin, installed: tuple[Plugin, ...]) -> None:
    if not plugin.works:
        raise NotApplicable("not loaded")
    cost = measure(plugin, installed)
    demand(not cost.heavy, f"imports {', '.join(cost.heavy)} at discovery: import it in the function that `load` gives")
    demand(cost.seconds < MOST_SECONDS, f"takes {cost.seconds:.2f} s to describe itself, of {MOST_SECONDS:g} allowed")
