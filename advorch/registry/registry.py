"""What the installed plugins offer, by name."""

import difflib
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from advorch.components import AnyComponent
from advorch.errors import Problem, UnknownComponent
from advorch.events import CellFinished, CellStarted, Event, RunFinished, RunStarted
from advorch.registry.plugin import Hook, Plugin

OBSERVERS: Mapping[type, str] = {
    RunStarted: "advorch_run_started",
    CellStarted: "advorch_stage_started",
    CellFinished: "advorch_stage_finished",
    RunFinished: "advorch_run_finished",
}

LISTED = 20

_log = logging.getLogger(__name__)


class Registry:
    """Built once a process by `discover`, then passed to whoever needs it; ids are unique across plugins."""

    def __init__(self, plugins: Iterable[Plugin], hooks: Iterable[Hook] = ()) -> None:
        self.plugins: tuple[Plugin, ...] = tuple(plugins)
        self._hooks = tuple(hooks)
        self._found = {component.id: (component, plugin) for component, plugin in _contributed(self.plugins)}

    def component(self, id: str) -> AnyComponent:
        """The component of that id, or an error that suggests what was meant."""
        self._demand(id)
        return self._found[id][0]

    def find(self, id: str) -> AnyComponent | None:
        """The component of that id, or None."""
        found = self._found.get(id)
        return found[0] if found else None

    def owner(self, id: str) -> Plugin:
        """Whose code runs when the component is used."""
        self._demand(id)
        return self._found[id][1]

    def ids(self, kind: str | None = None) -> list[str]:
        """All ids, or those of one kind, in order."""
        return sorted(id for id in self._found if kind is None or id.split("/")[0] == kind)

    def fingerprint(self) -> dict[str, str]:
        """Working plugins by distribution: what a driver and its workers compare."""
        working = [plugin for plugin in self.plugins if plugin.works]
        return {
            name: f"{_version(working, name)} [{', '.join(_entry_points(working, name))}]"
            for name in sorted({plugin.distribution for plugin in working})
        }

    def difference(self, other: Mapping[str, str]) -> list[str]:
        """One line a distribution that another process's fingerprint has otherwise; empty means equal."""
        mine = self.fingerprint()
        return [
            f"{name}: {mine.get(name, 'nothing')} here, {other.get(name, 'nothing')} there"
            for name in sorted({*mine, *other})
            if mine.get(name) != other.get(name)
        ]

    def observe(self, event: Event) -> None:
        """Tell every observer of the event's hook; their errors are logged and never raised."""
        for hook in self._implementations(OBSERVERS.get(type(event), "")):
            with _blamed(hook):
                hook(event=event)

    def check_plan(self, plan: object) -> list[Problem]:
        """Everything that the plugins find wrong with a plan; a check that fails itself is logged."""
        problems: list[Problem] = []
        for hook in self._implementations("advorch_check_plan"):
            with _blamed(hook):
                problems += _problems(hook(plan=plan))
        return problems

    def _implementations(self, name: str) -> list[Hook]:
        return [hook for hook in self._hooks if hook.name == name]

    def _demand(self, id: str) -> None:
        if id not in self._found:
            raise UnknownComponent(self._message(id), hint=self._hint(id))

    def _message(self, id: str) -> str:
        kind, slash, name = id.partition("/")
        if not slash:
            return f"{id!r} is no component id: write kind/name"
        if not self.ids(kind):
            return f"no plugin offers anything of kind {kind!r}"
        return f"no {kind} is called {name!r}"

    def _hint(self, id: str) -> str:
        kind, _, name = id.partition("/")
        allowed = [known.partition("/")[2] for known in self.ids(kind)]
        meant = difflib.get_close_matches(name, allowed, n=1) or self._elsewhere(id)
        parts = [f"{kind} offers: {_listing(allowed)}"] if allowed else [f"kinds: {', '.join(self._kinds())}"]
        broken = [plugin.name for plugin in self.plugins if plugin.error]
        parts += [f"broken and not considered: {', '.join(broken)}"] if broken else []
        switched_off = [plugin.entry_point for plugin in self.plugins if plugin.disabled]
        parts += [f"switched off: {', '.join(switched_off)}"] if switched_off else []
        return (f"did you mean {meant[0]!r}? " if meant else "") + "; ".join(parts)

    def _elsewhere(self, id: str) -> list[str]:
        """The same name under another kind, nearest kind first; where the kind is unknown, the nearest id of all."""
        kind, _, name = id.rpartition("/")
        same = [known for known in self._found if known.partition("/")[2] == name]
        if same or self.ids(kind):
            return difflib.get_close_matches(id, same, n=1, cutoff=0.0)
        return difflib.get_close_matches(id, self.ids(), n=1)

    def _kinds(self) -> list[str]:
        return sorted({id.partition("/")[0] for id in self._found})


def _contributed(plugins: Iterable[Plugin]) -> Iterator[tuple[AnyComponent, Plugin]]:
    for plugin in plugins:
        for component in plugin.components:
            yield component, plugin


def _listing(names: list[str]) -> str:
    shown = ", ".join(names[:LISTED])
    return f"{shown} and {len(names) - LISTED} more" if len(names) > LISTED else shown


def _version(plugins: Iterable[Plugin], distribution: str) -> str:
    return next(plugin.version for plugin in plugins if plugin.distribution == distribution)


def _entry_points(plugins: Iterable[Plugin], distribution: str) -> list[str]:
    return sorted(plugin.entry_point for plugin in plugins if plugin.distribution == distribution)


@contextmanager
def _blamed(hook: Hook) -> Iterator[None]:
    """Foreign code that watches or checks never ends a run."""
    try:
        yield
    except Exception:  # noqa: BLE001
        _log.exception("%s of plugin %s failed", hook.name, hook.plugin.name)


def _problems(returned: Iterable[Problem] | None) -> list[Problem]:
    problems = list(returned or ())
    strangers = [type(problem).__name__ for problem in problems if not isinstance(problem, Problem)]
    if strangers:
        raise TypeError(f"returned {strangers[0]}, not advorch.api.Problem")
    return problems
