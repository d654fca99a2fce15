"""Adversarial patch: Brown, Mane, Roy, Abadi and Gilmer, "Adversarial patch", 2017.

Maximise E log p(target | A(patch, x, place, angle, size)) over samples and over where the patch lies, by Adam on the
patch itself, whose values stay within what can be printed. It needs no source and no small norm: it is to be seen.
"""

import torch
from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.data import Data
from advorch.kit.perturbation.ascent import Cost, beginning, descended, reached, slope, towards
from advorch.kit.perturbation.fitted import Kind, Print
from advorch.kit.perturbation.fitting import FitTask, State, Turn
from advorch.kit.perturbation.pasting import paste, placed
from advorch.kit.perturbation.sampling import frame_points
from advorch.kit.perturbation.units import image_range, values_within
from advorch_builtins.attacks.catalog_fitted import PatchParams


class PatchFitting:
    """Adam over samples and places."""

    def __init__(self, task: FitTask, params: PatchParams) -> None:
        self._task = task
        self._params = params
        self._range = image_range(task.signature)
        self._side = params.size or task.signature.shape[-1]
        low, high = params.printable
        if low >= high:
            raise StageFailed(
                "printable: the darkest ink must be darker than the lightest", error_class=ErrorClass.USER
            )
        self._ink = values_within(self._range, low, high)

    def begin(self) -> State:
        """Grey, halfway between the darkest and the lightest ink."""
        shape = (self._task.signature.shape[0], self._side, self._side)
        return beginning(torch.full(shape, sum(self._ink) / 2, dtype=self._task.data.x.dtype))

    def advance(self, state: State, batch: Data, number: int, rng: Draws) -> Turn:
        """One step, every sample with the patch somewhere else on it."""
        maps, mask, goal = placed(self._params.placing, rng, batch.x), self._mask(batch.x), self._task.goals(batch.y)

        def cost(patch: Tensor) -> Cost:
            return towards(self._task.module, paste(batch.x, patch[None], mask[None], maps), goal)

        gradient, seen = slope(state["pattern"], cost)
        length = self._params.lr * (self._range[1] - self._range[0])
        state = descended(state, gradient, number, length, lambda patch: patch.clamp(*self._ink))
        return Turn(state, {"loss": seen.value, "reached": reached(seen.logits, goal)})

    def enough(self, state: State) -> bool:
        """Every step helps."""
        return False

    def finish(self, state: State) -> Print:
        """The patch, its outline, and where it may be pasted."""
        pattern = state["pattern"]
        how = {"placing": self._params.placing.plain()}
        return Print(kind=Kind.PATCH, pattern=pattern, mask=self._mask(pattern), how=how)

    def _mask(self, like: Tensor) -> Tensor:
        if self._params.placing.outline == "square":
            return like.new_ones(1, self._side, self._side)
        points = frame_points(self._side, self._side, 1, like)
        return (points.square().sum(1) <= 1).to(like.dtype).view(1, self._side, self._side)
