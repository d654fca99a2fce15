"""Seeds are hashes of what is computed, never of names, order or time."""

from dataclasses import dataclass

from advorch.canonical import digest


@dataclass(frozen=True, slots=True)
class Seeds:
    """The random streams of one cell; every stream is independent of the others."""

    root: int

    def stream(self, name: str) -> int:
        """A 63-bit seed for one named stream (init, data, attack, ...)."""
        return derive(self.root, name)


def derive(*parts: int | str) -> int:
    """Hash the parts into 63 bits."""
    return int(digest(["advorch-seed/1", *parts])[:16], 16) >> 1


def cell_seed(root: int, component: str, stage_seed: int = 0, refit: int = 0) -> int:
    """The seed of a cell: the pipeline's, the component's id, the stage's `seed:` and the refit index."""
    return derive(root, component, stage_seed, refit)
