"""What is random inside a model, the same in several passes."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def same_draws(seed: int, device: torch.device) -> Iterator[None]:
    """Dropout masks and the like are those of the seed; the global random numbers go on as if nothing had been."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
