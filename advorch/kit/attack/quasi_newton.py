"""L-BFGS in a box for a batch: one evaluation a step, and every sample with its own history, step length and stop.

Liu and Nocedal, Mathematical Programming 1989; numbers that sit at the box and are pushed out of it stay (Bertsekas's
two-metric projection, SIAM 1982). A trial that does not descend enough is taken back and tried at half the length
(Armijo), sample by sample, while others go on.
"""

from typing import Final

import torch
from torch import Tensor

from advorch.kit.attack.rows import per_sample, total
from advorch.kit.attack.step import Memory
from advorch.kit.attack.threat_set import ThreatSet

_PAIRS: Final = 8
_DESCENT: Final = 1e-4
_SETTLED: Final = 1e-9  # expected descent, as a share of the objective


def fresh(x: Tensor, curvature: float) -> Memory:
    """Nothing known but a guess of the objective's curvature."""
    none, history = torch.zeros(len(x), dtype=torch.float64, device=x.device), x.new_zeros(len(x), _PAIRS, *x.shape[1:])
    return {
        "at": x, "height": none + torch.inf, "slope": torch.zeros_like(x), "way": torch.zeros_like(x),
        "length": none + 1, "moves": history, "changes": history, "curvature": none + curvature, "settled": none > 0,
        "weights": x.new_zeros(len(x), _PAIRS),
    }  # fmt: skip


def next_trial(memory: Memory, ball: ThreatSet, z: Tensor, height: Tensor, slope: Tensor) -> Tensor:
    """Take or refuse the last trial, and make the next."""
    taken = _descends(memory, z, height)
    _learn(memory, z, slope, taken)
    for name, new in (("at", z), ("height", height), ("slope", slope)):
        memory[name] = torch.where(per_sample(taken, new), new, memory[name])
    way = _downhill(memory, ball)
    memory["way"] = torch.where(per_sample(taken, way), way, memory["way"])
    memory["length"] = torch.where(taken, 1.0, memory["length"] / 2)
    expected = -total(memory["slope"] * memory["way"]) * memory["length"]
    memory["settled"] = expected <= _SETTLED * memory["height"].abs()
    return ball.project(memory["at"] + (memory["way"] * per_sample(memory["length"], z)).to(z.dtype))


def _descends(memory: Memory, z: Tensor, height: Tensor) -> Tensor:
    promised = total(memory["slope"] * (z - memory["at"]))
    return height <= memory["height"] + _DESCENT * promised


def _learn(memory: Memory, z: Tensor, slope: Tensor, taken: Tensor) -> None:
    """One more pair for those who moved along a curve that bends upwards."""
    move, change = z - memory["at"], slope - memory["slope"]
    bend, size = total(move * change), total(change.square())
    learnt = taken & memory["height"].isfinite() & (bend > 1e-10 * size)
    memory["moves"] = _pushed(memory["moves"], move, learnt)
    memory["changes"] = _pushed(memory["changes"], change, learnt)
    memory["weights"] = _pushed(memory["weights"], (1 / bend).to(z.dtype), learnt)
    memory["curvature"] = torch.where(learnt, size / bend, memory["curvature"])


def _pushed(history: Tensor, newest: Tensor, learnt: Tensor) -> Tensor:
    return torch.where(per_sample(learnt, history), torch.cat([history[:, 1:], newest[:, None]], 1), history)


def _downhill(memory: Memory, ball: ThreatSet) -> Tensor:
    """The quasi-Newton way for the numbers that may move, the plain one where that does not lead down."""
    at, slope = memory["at"], memory["slope"]
    pull = torch.where(ball.movable(at, -slope), slope, 0)
    newton = torch.where(pull != 0, -_two_loops(memory, pull), 0)
    plain = (-pull / per_sample(memory["curvature"], pull)).to(pull.dtype)
    return torch.where(per_sample(total(newton * slope) < 0, pull), newton, plain)


def _two_loops(memory: Memory, pull: Tensor) -> Tensor:
    """The inverse Hessian times the slope; pairs that are not known yet have weight zero."""
    pairs = list(zip(memory["moves"].unbind(1), memory["changes"].unbind(1), memory["weights"].unbind(1), strict=True))
    left, shares = pull, []
    for move, change, weight in reversed(pairs):
        shares.append(weight * total(move * left).to(weight.dtype))
        left = left - per_sample(shares[-1], left) * change
    way = (left / per_sample(memory["curvature"], left)).to(left.dtype)
    for (move, change, weight), share in zip(pairs, reversed(shares), strict=True):
        way = way + per_sample(share - weight * total(change * way).to(weight.dtype), way) * move
    return way
