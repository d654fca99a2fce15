"""`advorch plugin`: who contributes what, and whether it keeps its promises."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advorch.cli.render import Format, emit, say, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from advorch.components import AnyComponent
    from advorch.registry.plugin import Plugin
    from advorch.registry.registry import Registry
    from advorch.testing.check import Check, Result

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Output = Annotated[Format, typer.Option("-o", "--output", help="form of the data on stdout")]
NoPlugin = Annotated[list[str], typer.Option(help="do not load this plugin")]

FAILED = 3
_COLUMNS = ("id", "summary", "distribution", "version", "state")
_PARAMETERS = ("name", "type", "default", "bounds", "description")


@app.command("list")
def list_(
    kind: Annotated[str, typer.Option(help="only components of this kind: attack, defend, dataset, ...")] = "",
    output: Output = Format.TABLE,
    no_plugin: NoPlugin = [],  # noqa: B006
) -> None:
    """List everything that the installed plugins contribute, and the plugins that are broken."""
    registry = _registry(no_plugin)
    rows = [_component_row(registry, id) for id in registry.ids(kind or None)]
    idle = [_idle_row(plugin) for plugin in registry.plugins if not plugin.works]
    emit([*rows, *idle], _COLUMNS, output)
    if kind and not rows:
        say(f"no plugin offers anything of kind {kind!r}; kinds: {', '.join(_kinds(registry))}")


@app.command()
def show(
    id: Annotated[str, typer.Argument(metavar="KIND/NAME", help="a component, such as attack/pgd")],
    output: Output = Format.TABLE,
    no_plugin: NoPlugin = [],  # noqa: B006
) -> None:
    """Show a component: what it assumes, its ports and its parameters."""
    from advorch.registry.describe import parameter_rows

    registry = _registry(no_plugin)
    component = registry.component(id)
    facts = {**_component_row(registry, id), **_facts(component)}
    parameters = parameter_rows(component)
    if output is not Format.TABLE:
        emit([{**facts, "parameters": parameters}], (), output)
        return
    width = max(map(len, facts))
    sys.stdout.writelines(f"{name.replace('_', ' ').ljust(width)}  {_words(value)}\n" for name, value in facts.items())
    for owner, title in (("component", "parameters"), ("host", "settings of every stage of this family")):
        rows = [_parameter_row(row) for row in parameters if row["of"] == owner]
        if rows:
            sys.stdout.write(f"\n{title}\n")
            emit(rows, _PARAMETERS)


@app.command()
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="a distribution, an entry point or a component")],
    output: Output = Format.TABLE,
    no_plugin: NoPlugin = [],  # noqa: B006
) -> None:
    """Run the public contract suite; exit 3 if a promise is broken."""
    from advorch.testing.check import Verdict

    registry = _registry(no_plugin)
    results = []
    for subject, test in _checks(registry, name):
        result = test.result()
        results.append({"subject": subject, **_result_row(result)})
        if output is Format.TABLE:
            _print_line(subject, result)
    if output is not Format.TABLE:
        emit(results, (), output)
    broken = [row for row in results if row["verdict"] == Verdict.BROKEN.value]
    say(f"{len(results)} checks, {len(broken)} broken")
    raise typer.Exit(FAILED if broken else 0)


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="of the distribution, such as advorch-climb")],
    into: Annotated[Path, typer.Option(help="the folder in which it is made")] = Path(),
) -> None:
    """Start a plugin: a complete distribution with an attack, its tests and a README."""
    from advorch.registry.scaffold import new_plugin

    folder = new_plugin(name, into)
    sys.stdout.write(f"{folder}\n")
    suggest(f"pip install -e {folder}", f"advorch plugin check {name}")


def _registry(disabled: list[str]) -> "Registry":
    from advorch.registry.discovery import discover

    return discover(disabled=disabled)


def _kinds(registry: "Registry") -> list[str]:
    return sorted({id.partition("/")[0] for id in registry.ids()})


def _component_row(registry: "Registry", id: str) -> dict[str, Any]:
    owner, component = registry.owner(id), registry.component(id)
    return {"id": id, "summary": component.summary, **_origin(owner)}


def _idle_row(plugin: "Plugin") -> dict[str, Any]:
    reason = plugin.error or "switched off"
    return {"id": None, "summary": f"{plugin.entry_point}: {reason}", **_origin(plugin)}


def _origin(plugin: "Plugin") -> dict[str, Any]:
    names = {"distribution": plugin.distribution, "version": plugin.version, "entry_point": plugin.entry_point}
    return {**names, "module": plugin.module, "state": plugin.state}


def _facts(component: "AnyComponent") -> dict[str, Any]:
    """What is declared, as far as the family has it."""
    facts: dict[str, Any] = {}
    threat = getattr(component, "threat", None)
    if threat is not None:
        facts |= {"access": threat.access, "norms": sorted(threat.norms), "goals": sorted(threat.goals)}
        facts |= {"budget": threat.budget, "stochastic": threat.stochastic}
    for side in ("inputs", "outputs"):
        ports: Mapping[str, Any] = getattr(component, side, dict)()
        facts |= {side: [_port(name, port) for name, port in ports.items()]} if ports else {}
    for name in ("metrics", "splits", "box"):
        value = getattr(component, name, None)
        facts |= {name: sorted(value) if isinstance(value, frozenset) else value} if value else {}
    return facts


def _port(name: str, port: Any) -> str:
    notes = [note for note, holds in (("many", port.many), ("optional", port.optional)) if holds]
    return f"{name}: {port.type}" + (f" ({', '.join(notes)})" if notes else "")


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _parameter_row(row: dict[str, Any]) -> dict[str, Any]:
    default = row["default"]
    shown = "required" if row["required"] else "none" if default is None else _words(default)
    return {**row, "default": shown}


def _checks(registry: "Registry", name: str) -> "Iterator[tuple[str, Check]]":
    from advorch.registry.discovery import matches
    from advorch.testing.contract import checks_for
    from advorch.testing.plugins import plugin_checks

    component = registry.find(name)
    plugins = [registry.owner(name)] if component else [one for one in registry.plugins if matches(name, one)]
    if not plugins:
        raise _unknown(registry, name)
    for plugin in plugins:
        yield from ((plugin.name, test) for test in plugin_checks(plugin, registry.plugins))
        for contributed in [component] if component else plugin.components:
            yield from ((contributed.id, test) for test in checks_for(contributed))


def _unknown(registry: "Registry", name: str) -> Exception:
    import difflib

    from advorch.errors import PluginError

    if "/" in name:
        registry.component(name)  # raises, with a suggestion
    words = {word for one in registry.plugins for word in (one.distribution, one.entry_point)}
    known = sorted({*words, *registry.ids()})
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "`advorch plugin list` names all of them"
    return PluginError(f"no installed plugin, entry point or component is called {name!r}", hint=hint)


def _result_row(result: "Result") -> dict[str, str]:
    return {"check": result.check, "verdict": result.verdict.value, "reason": result.reason}


def _print_line(subject: str, result: "Result") -> None:
    reason = f": {result.reason}" if result.reason else ""
    sys.stdout.write(f"{result.verdict.value:<8} {subject}  {result.check}{reason}\n")
    sys.stdout.flush()
