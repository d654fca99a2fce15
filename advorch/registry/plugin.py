"""The record that discovery keeps of every plugin, working or not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from advorch.components import AnyComponent

GROUP = "advorch.plugins"


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One entry point: where it came from, what it contributes, or why it contributes nothing."""

    name: str
    distribution: str
    version: str
    entry_point: str
    module: str
    components: tuple[AnyComponent, ...] = ()
    error: str = ""
    seconds: float = 0.0
    heavy: tuple[str, ...] = ()
    disabled: bool = False

    @property
    def works(self) -> bool:
        """Whether its components and hooks are in use."""
        return not self.error and not self.disabled

    @property
    def state(self) -> str:
        """One word for a table."""
        return "disabled" if self.disabled else "broken" if self.error else "ok"


@dataclass(frozen=True, slots=True)
class Hook:
    """One plugin's implementation of one hook; it may take fewer arguments than the hook offers."""

    plugin: Plugin
    name: str
    function: Callable[..., Any]
    arguments: tuple[str, ...]

    def __call__(self, **offered: object) -> Any:
        return self.function(**{name: offered[name] for name in self.arguments})
