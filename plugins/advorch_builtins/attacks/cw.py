"""C&W: Carlini and Wagner, "Towards evaluating the robustness of neural networks", S&P 2017, in l2.

min_w ||z(w) - x||^2 + c max(kappa - lead(z), 0),  z = middle + half tanh(w),  by Adam, with c searched by sample and
lead = best other logit less the label's (targeted: the target's less the best other). The rate of Adam falls along a
cosine in the second half of the steps, and starts lower next to a boundary. It is a local search: with a small rate it
stays in a hollow that DDN and FMN step over. Known failures, avoided: tanh without a margin freezes pixels that are
exactly 0 or 1, so the tanh spans a box a hundredth wider and z is cut; the label is masked by -inf, not multiplied
out; c and loss have one entry a sample, and so has the stop when the loss stalls.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from advorch.api import Box
from advorch.kit.attack.adam import adapted
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.nearest import Nearest
from advorch.kit.attack.objectives import margin
from advorch.kit.attack.rows import euclidean, per_sample, total
from advorch.kit.attack.schedules import cosine
from advorch.kit.attack.shrink import Shrink, Walk, outcome, shrink, slope_of
from advorch.kit.attack.slopes import Slope
from advorch.kit.attack.tradeoff import smallest_constant
from advorch.kit.attack.victim import Victim
from advorch.kit.box import ends_of
from advorch_builtins.attacks.catalog_minimal import CwParams

_WIDER = 1.01
_STALLED = 0.9999
_CROSSINGS = 100  # how often all steps together could cover the way to the linearised boundary


def perturb(victim: Victim, x: Tensor, y: Tensor, params: CwParams, rng: Draws) -> Tensor:
    """One minimisation for each constant, the nearest result of all."""

    def minimise(victim: Victim, x: Tensor, y: Tensor, constant: Tensor) -> Nearest:
        return _minimise(victim, x, y, constant, params)

    best = smallest_constant(victim, x, y, minimise, first=params.constant, searches=params.searches)
    return outcome(victim, x, best)


def _minimise(victim: Victim, x: Tensor, y: Tensor, constant: Tensor, params: CwParams) -> Nearest:
    space = _Space.of(victim.box, x)
    every = max(1, params.steps // 10)

    def move(walk: Walk, seen: Slope) -> Tensor:
        memory, step = walk.memory, walk.z - walk.ball.x
        loss = total(step.square()) + memory["c"] * (params.confidence - seen.value).clamp(min=0)
        if walk.number % every == 0:
            memory["stalled"], memory["checked"] = loss > _STALLED * memory["checked"], loss
        wanting = torch.where(seen.value < params.confidence, memory["c"], 0).to(step.dtype)
        slope = 2 * step - per_sample(wanting, step) * seen.gradient
        if walk.number == 0:
            memory["lr"] = _rates(walk, seen, space, params)
        rate = per_sample(memory["lr"] * _cooling(walk.number, params.steps), step).to(step.dtype)
        memory["w"] = memory["w"] - rate * _adam(walk, walk.ball.masked(slope) * space.slope(memory["w"]))
        return walk.ball.project(space.point(memory["w"]))

    recipe = Shrink(
        steps=params.steps,
        look=slope_of(margin),
        move=move,
        done=lambda walk: walk.memory["stalled"],
        confidence=params.confidence,
    )
    still = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    memory = {
        "w": space.coordinate(x),
        "c": constant,
        "stalled": still,
        "checked": torch.full_like(constant, torch.inf),
    }
    return shrink(victim, x, y, recipe, objective=margin, memory=memory | _adam_memory(x))


class _Space(NamedTuple):
    """Coordinates in which every point is legal; the plain ones where there is no box."""

    middle: Tensor
    half: Tensor | None

    @classmethod
    def of(cls, box: Box | None, x: Tensor) -> "_Space":
        if box is None:
            return cls(x.new_zeros(()), None)
        low, high = ends_of(box, tuple(x.shape[1:]), x)
        return cls((low + high) / 2, _WIDER * (high - low) / 2)

    def coordinate(self, z: Tensor) -> Tensor:
        return z if self.half is None else ((z - self.middle) / self.half).atanh()

    def point(self, w: Tensor) -> Tensor:
        return w if self.half is None else self.middle + self.half * w.tanh()

    def slope(self, w: Tensor) -> Tensor:
        return torch.ones_like(w) if self.half is None else self.half * (1 - w.tanh().square())


def _rates(walk: Walk, seen: Slope, space: _Space, params: CwParams) -> Tensor:
    """Adam moves every number by its rate: next to a boundary by so little that crossing it takes some steps."""
    distance = seen.value.abs() / euclidean(walk.ball.masked(seen.gradient)).clamp(min=1e-12)
    widest = 1 if space.half is None else space.half.max().double()
    crossing = distance / (widest * walk.ball.free().sqrt())
    return (crossing * _CROSSINGS / params.steps).clamp(max=params.lr)


def _cooling(number: int, steps: int) -> float:
    """All of the rate while there is a way to go, and a hundredth in the end."""
    return cosine(1, 0.01, max(0, 2 * number - steps), steps)


def _adam_memory(x: Tensor) -> dict[str, Tensor]:
    return {"mean": torch.zeros_like(x), "squares": torch.zeros_like(x)}


def _adam(walk: Walk, slope: Tensor) -> Tensor:
    found = adapted(slope, walk.memory["mean"], walk.memory["squares"], walk.number)
    walk.memory.update(mean=found.mean, squares=found.squares)
    return found.step
