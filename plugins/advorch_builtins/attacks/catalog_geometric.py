"""Attacks that move, turn, mask or paint instead of adding noise, described; each is in the file of its name."""

from advorch.api import AnyComponent

COMPONENTS: tuple[AnyComponent, ...] = ()
