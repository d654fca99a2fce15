"""Adversarial pipelines from one YAML file: train, attack, defend, generate, evaluate."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advorch.engine.driver import Policy
    from advorch.plan.selection import Selection
    from advorch.session.pipeline import load
    from advorch.session.running import Options

__version__ = "0.1.0"
__all__ = ["Options", "Policy", "Selection", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """Give `advorch.load` and what it is called with, without making `import advorch` pay for them."""
    from importlib import import_module

    homes = {
        "Options": "advorch.session.running",
        "Policy": "advorch.engine.driver",
        "Selection": "advorch.plan.selection",
        "load": "advorch.session.pipeline",
    }
    if name not in homes:
        raise AttributeError(f"module 'advorch' has no attribute '{name}'")
    return getattr(import_module(homes[name]), name)
