"""Adversarial pipelines from one YAML file: train, attack, defend, generate, evaluate."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advorch.session.pipeline import load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """Give `advorch.load` without making `import advorch` pay for it."""
    if name == "load":
        from advorch.session.pipeline import load

        return load
    raise AttributeError(name)
