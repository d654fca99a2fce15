"""Attacks that see scores, labels or other models, described; each is implemented in the file of its name."""

from advorch.api import AnyComponent

COMPONENTS: tuple[AnyComponent, ...] = ()
