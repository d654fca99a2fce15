"""Attacks that move, turn, mask or paint instead of adding noise freely, described; each is implemented in the file of its name."""

from advorch.api import AnyComponent

COMPONENTS: tuple[AnyComponent, ...] = ()
