"""What is random, the same each time."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def same_draws(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Dropout masks, first weights and the like are those of the seed; the global random numbers go on as if nothing
    had been, those of a GPU where it is named."""
    with torch.random.fork_rng(devices=[device] if device and device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
