"""The digest of the code that decides what a component computes."""

import inspect
import types
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from advorch import canonical
from advorch.components import AnyComponent
from advorch.registry.closure import Closure, Owned, folder_digests
from advorch.registry.modules import Cache, Modules

FORMAT = "advorch-source/1"
CORE = Path(__file__).parent.parent
KIT = CORE / "kit"
_HOSTS = "advorch.hosts"
_NUMERIC_CORE = ("seeds.py", "canonical.py")  # what random streams are made of


def source_digest(component: AnyComponent, *, cache: Cache | None = None, kit: Path = KIT) -> str:
    """Sha256 over the component's implementation and what it imports within its distribution, its parameters,
    its description, the whole kit and its host. Nothing of it is imported; pass one `cache` for many components."""
    modules = Modules({} if cache is None else cache)
    return canonical.digest(
        {
            "format": FORMAT,
            "component": describe(component),
            "own": own_sources(component, modules),
            "kit": folder_digests(kit, modules),
            "core": {name: modules.digest(str(CORE / name)) for name in _NUMERIC_CORE},
            "host": _host_sources(component.host, modules),
        }
    )


def describe(component: AnyComponent) -> dict[str, Any]:
    """The declared facts that change how a component is run; its summary is none of them."""
    facts = {name: value for name, value in vars(component).items() if name not in {"summary", "params", "load"}}
    facts = {name: _plain(value) for name, value in facts.items() if not callable(value)}
    ports = {side: _plain(getattr(component, side)()) for side in ("inputs", "outputs") if hasattr(component, side)}
    return {**facts, "id": component.id, "host": component.host, **ports}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(str(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def own_sources(component: AnyComponent, modules: Modules) -> list[list[str]]:
    """Module and digest of every file and statement that the component reaches within its own distribution."""
    described = _origin(component.load)
    closure = Closure(Owned(described.split(".")[0], modules), described, modules)
    known = [closure.take_function(component.load), closure.take_class(component.params)]
    for name, value in vars(component).items():
        if callable(value) and name not in {"load", "params"}:
            closure.take_function(value)
    if not all(known):
        closure.take_whole(described)
    return closure.sources()


def _origin(load: Any) -> str:
    """The module that defines the component: the one in which its thunk is written."""
    load = inspect.unwrap(load.func if isinstance(load, partial) else load)
    module: str = load.__module__ if isinstance(load, (types.FunctionType, types.MethodType)) else type(load).__module__
    return module


def _host_sources(host: str, modules: Modules) -> list[list[str]]:
    closure = Closure(lambda module: module == _HOSTS or module.startswith(f"{_HOSTS}."), "", modules)
    if host:
        closure.take_module(host)
    return closure.sources()
