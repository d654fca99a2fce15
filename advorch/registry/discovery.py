"""Find the installed plugins, one entry point at a time, so that a broken one disables itself alone."""

import logging
import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points

import pluggy

from advorch.components import API, AnyComponent, Component
from advorch.errors import BrokenPlugin, DuplicateComponent, PluginError
from advorch.params import Params
from advorch.registry import hookspec
from advorch.registry.plugin import GROUP, Hook, Plugin
from advorch.registry.registry import Registry

HEAVY = ("torch", "ray", "mlflow")

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_log = logging.getLogger(__name__)


def discover(*, disabled: Collection[str] = (), strict: bool = False) -> Registry:
    """Load every installed plugin; broken ones are recorded, or fatal where `strict` or the environment says so.

    `disabled` names distributions, entry points or `distribution:entry-point`; `ADVORCH_NO_PLUGINS` adds to it.
    """
    found = _installed()
    unwanted = _Disabled([*disabled, *_environment_list("ADVORCH_NO_PLUGINS")])
    unwanted.warn_of_strangers(found)
    manager = pluggy.PluginManager("advorch")
    manager.add_hookspecs(hookspec)
    plugins = [_record(manager, plugin, entry, unwanted) for plugin, entry in found]
    _refuse_duplicates(plugins)
    if strict or _environment_flag("ADVORCH_STRICT_PLUGINS"):
        _refuse_broken(plugins)
    return Registry(plugins, _hooks(manager, plugins))


def _installed() -> list[tuple[Plugin, EntryPoint]]:
    entries = [(_describe(entry), entry) for entry in entry_points(group=GROUP)]
    return sorted(entries, key=lambda pair: (normal(pair[0].distribution), pair[0].entry_point))


def _describe(entry: EntryPoint) -> Plugin:
    distribution, version = (entry.dist.name, entry.dist.version) if entry.dist else ("unknown", "0")
    name = f"{distribution} {version}:{entry.name}"
    return Plugin(
        name=name, distribution=distribution, version=version, entry_point=entry.name, module=entry.value.split(":")[0]
    )


@dataclass(frozen=True, slots=True)
class _Disabled:
    names: Sequence[str]

    def covers(self, plugin: Plugin) -> bool:
        return any(matches(name, plugin) for name in self.names)

    def warn_of_strangers(self, found: Iterable[tuple[Plugin, EntryPoint]]) -> None:
        installed = [plugin for plugin, _ in found]
        for name in self.names:
            if not any(matches(name, plugin) for plugin in installed):
                _log.warning("no installed plugin is called %r: there is nothing to disable", name)


def matches(name: str, plugin: Plugin) -> bool:
    """Whether a user means this plugin by the name of a distribution, an entry point, or `distribution:entry-point`."""
    distribution, colon, entry_point = name.partition(":")
    if colon:
        return normal(distribution) == normal(plugin.distribution) and entry_point == plugin.entry_point
    return normal(name) == normal(plugin.distribution) or name == plugin.entry_point


def normal(distribution: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _environment_list(variable: str) -> list[str]:
    return [name for name in re.split(r"[,\s]+", os.environ.get(variable, "")) if name]


def _environment_flag(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() not in {"", "0", "false", "no"}


def _record(manager: pluggy.PluginManager, plugin: Plugin, entry: EntryPoint, unwanted: _Disabled) -> Plugin:
    if unwanted.covers(plugin):
        return replace(plugin, disabled=True)
    before, begin = _heavy_modules(), time.perf_counter()
    loaded = _load(manager, plugin, entry)
    heavy = tuple(name for name in _heavy_modules() if name not in before)
    return replace(loaded, seconds=time.perf_counter() - begin, heavy=heavy)


def _heavy_modules() -> list[str]:
    return [name for name in HEAVY if name in sys.modules]


def _load(manager: pluggy.PluginManager, plugin: Plugin, entry: EntryPoint) -> Plugin:
    """The one place where any error of foreign code becomes a line of text."""
    try:
        manager.register(entry.load(), name=plugin.name)
        manager.check_pending()  # after each, so that a misspelt hook is blamed on the right plugin
        _check_hooks(manager, plugin)
        return replace(plugin, components=_components(manager, plugin))
    except (Exception, SystemExit) as error:  # noqa: BLE001
        if manager.has_plugin(plugin.name):
            manager.unregister(name=plugin.name)
        return replace(plugin, error=_one_line(error))


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, PluginError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _check_hooks(manager: pluggy.PluginManager, plugin: Plugin) -> None:
    implementations = _implementations(manager, plugin)
    if not implementations:
        raise PluginError("implements no hook: is `@hookimpl` missing?")
    for name, implementation in implementations:
        if implementation.wrapper or implementation.hookwrapper:
            raise PluginError(f"{name} is a wrapper: hooks are called one implementation at a time")


def _implementations(manager: pluggy.PluginManager, plugin: Plugin) -> list[tuple[str, pluggy.HookImpl]]:
    callers = manager.get_hookcallers(manager.get_plugin(plugin.name)) or []
    return [
        (caller.name, found)
        for caller in callers
        for found in caller.get_hookimpls()
        if found.plugin_name == plugin.name
    ]


def _components(manager: pluggy.PluginManager, plugin: Plugin) -> tuple[AnyComponent, ...]:
    contributed: list[AnyComponent] = []
    for name, implementation in _implementations(manager, plugin):
        if name == "advorch_components":
            contributed += _checked(implementation.function())
    return tuple(contributed)


def _checked(returned: object) -> list[AnyComponent]:
    if not isinstance(returned, Iterable):
        raise PluginError(f"advorch_components returned {type(returned).__name__}, not an iterable of components")
    components = []
    for item in returned:
        if not isinstance(item, Component):
            raise PluginError(f"advorch_components contributed {type(item).__name__}, which is no component")
        _check_component(item)
        components.append(item)
    return components


def _check_component(component: AnyComponent) -> None:
    name = component.name
    if not isinstance(component.api, int) or component.api > API:
        raise PluginError(f"{name!r} is written for plugin API {component.api}; this advorch offers {API}")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PluginError(f"{name!r} is no component name: lower-case words and digits, joined by '-'")
    if not isinstance(component.params, type) or not issubclass(component.params, Params):
        raise PluginError(f"params of {name!r} is no subclass of advorch.api.Params")
    if not callable(component.load):
        raise PluginError(f"load of {name!r} is not callable")


def _hooks(manager: pluggy.PluginManager, plugins: Iterable[Plugin]) -> list[Hook]:
    return [
        Hook(plugin, name, found.function, tuple(found.argnames))
        for plugin in plugins
        if plugin.works
        for name, found in _implementations(manager, plugin)
    ]


def _refuse_duplicates(plugins: Iterable[Plugin]) -> None:
    owners: defaultdict[str, list[Plugin]] = defaultdict(list)
    for plugin in plugins:
        for component in plugin.components:
            owners[component.id].append(plugin)
    for identity, several in owners.items():
        if len(several) > 1:
            names = " and by ".join(f"{one.distribution} {one.version} ({one.entry_point})" for one in several)
            raise DuplicateComponent(f"{identity} is provided by {names}", hint=_way_out(several))


def _way_out(owners: Sequence[Plugin]) -> str:
    if len({owner.name for owner in owners}) == 1:
        return f"the plugin contributes the name twice; switch it off with --no-plugin {owners[0].distribution}"
    distributions = {owner.distribution for owner in owners}
    alone = len(distributions) == len(owners)
    flags = [f"--no-plugin {one.distribution if alone else f'{one.distribution}:{one.entry_point}'}" for one in owners]
    return f"switch one of them off: {' or '.join(flags)}"


def _refuse_broken(plugins: Iterable[Plugin]) -> None:
    broken = [f"{plugin.name}: {plugin.error}" for plugin in plugins if plugin.error]
    if broken:
        hint = "repair or uninstall it, switch it off with --no-plugin, or unset ADVORCH_STRICT_PLUGINS"
        raise BrokenPlugin("; ".join(broken), hint=hint)
