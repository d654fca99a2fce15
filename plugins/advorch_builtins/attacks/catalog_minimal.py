"""Attacks that look for the smallest perturbation, described; each is implemented in the file of its name."""

from advorch.api import AnyComponent

COMPONENTS: tuple[AnyComponent, ...] = ()
