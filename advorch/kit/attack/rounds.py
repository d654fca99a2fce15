"""Who goes round: whoever is back where it was, twice running, will be there for ever."""

import torch
from torch import Tensor

from advorch.kit.attack.fingerprint import fingerprint
from advorch.kit.attack.step import Memory

_AS_HIGH = 1e-5  # losses of one point in batches of different sizes are no more apart than that


def remember(memory: Memory, first: int, z: Tensor, value: Tensor, steps: int) -> None:
    """The points of some steps, from `first` of so many on, and their losses: one row a step, one column a sample."""
    count, samples = value.shape
    if "states" not in memory:
        nobody = torch.zeros(samples, dtype=torch.bool, device=z.device)
        memory["states"] = torch.zeros(samples, steps, dtype=torch.int64, device=z.device)
        memory["heights"] = torch.zeros(samples, steps, dtype=value.dtype, device=z.device)
        memory["again"] = memory["round"] = nobody
    memory["states"][:, first : first + count] = fingerprint(z.flatten(0, 1)).view(count, samples).T
    memory["heights"][:, first : first + count] = value.T


def look_back(memory: Memory, first: int, stop: int) -> None:
    """Whether a sample was, at two of these steps running, where it had been, to the bit, at the loss of every visit.

    A model that draws gives another loss at the same point.
    """
    states, heights = memory["states"][:, None, :stop], memory["heights"][:, None, :stop]
    step = torch.arange(stop, device=states.device)
    visits = (states == states[:, 0, first:, None]) & (step < step[first:, None])
    other = ~torch.isclose(heights, heights[:, 0, first:, None], rtol=_AS_HIGH, atol=0)
    again = torch.cat([memory["again"][:, None], visits.any(2) & ~(visits & other).any(2)], 1)
    memory["round"] = memory["round"] | (again[:, 1:] & again[:, :-1]).any(1)
    memory["again"] = again[:, -1]
