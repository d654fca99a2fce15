"""Attacks that spend a given epsilon along gradients, described; each is implemented in the file of its name."""

from advorch.api import AnyComponent

COMPONENTS: tuple[AnyComponent, ...] = ()
