"""RP2: Eykholt et al., "Robust physical-world attacks on deep learning visual classification", CVPR 2018.

Minimise lambda ||M (s - x)||_p + nu NPS(s) + E_x,t -log p(target | t(x (1 - M) + s M)) by Adam on the sticker s: x
are photos of the object, M is the mask, t a view: distance, angle, light, background, what the camera resolves. The
sticker covers what is below it, as paper does, and is seen from where the object is seen, since the view is of both.
The norm is divided by that of the mask, so that lambda is a price on the distance of colours.
"""

import torch
from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.data import Data
from advorch.kit.perturbation.ascent import Cost, beginning, descended, reached, slope, towards
from advorch.kit.perturbation.fitted import Kind, Print
from advorch.kit.perturbation.fitting import FitTask, State, Turn
from advorch.kit.perturbation.poses import drawn
from advorch.kit.perturbation.printable import nearest_printable, non_printability, palette_of
from advorch.kit.perturbation.render import photograph
from advorch.kit.perturbation.units import from_unit, image_range, to_unit
from advorch_builtins.attacks.catalog_fitted import Rectangle, StickerParams


class StickerFitting:
    """Adam over photos and views; inside, values are shares of the range."""

    def __init__(self, task: FitTask, params: StickerParams) -> None:
        self._task = task
        self._params = params
        self._range = image_range(task.signature)
        self._palette = palette_of(params.palette, task.signature.shape[0], task.data.x).to(task.device)
        if not bool(self._mask(task.data.x).any()):
            message = f"the mask covers no pixel of photos of shape {task.signature.shape}"
            hint = "a rectangle is left, top, right, bottom, as shares of the photo, and is rounded to whole pixels"
            raise StageFailed(message, error_class=ErrorClass.USER, hint=hint)

    def begin(self) -> State:
        """What the mean photo shows."""
        return beginning(to_unit(self._task.data.x.mean(0), self._range))

    def advance(self, state: State, batch: Data, number: int, rng: Draws) -> Turn:
        """One step over as many views as there are photos in the batch."""
        photos, mask, goal = to_unit(batch.x, self._range), self._mask(batch.x), self._task.goals(batch.y)
        poses = drawn(self._params.scene, rng, photos)

        def cost(sticker: Tensor) -> Cost:
            worn = photos * (1 - mask) + sticker * mask
            seen = photograph(worn, poses, self._params.scene, rng, frame=(photos.shape[2], photos.shape[3]))
            found = towards(self._task.module, from_unit(seen, self._range), goal)
            price = self._params.lambda_ * self._size(sticker, photos, mask)
            price = price + self._params.nps * non_printability(sticker, self._palette, mask)
            return Cost(found.value + price, found.logits)

        gradient, seen = slope(state["pattern"], cost)
        state = descended(state, gradient, number, self._params.lr, lambda sticker: sticker.clamp(0, 1))
        metrics = {"loss": seen.value, "reached": reached(seen.logits, goal)}
        metrics |= {"nps": non_printability(state["pattern"], self._palette, mask)}
        return Turn(state, metrics | {"size": self._size(state["pattern"], photos, mask)})

    def enough(self, state: State) -> bool:
        """Every step helps."""
        return False

    def finish(self, state: State) -> Print:
        """The sticker in colours that can be printed, and its place."""
        sticker = state["pattern"]
        if self._params.print_exactly:
            sticker = nearest_printable(sticker, self._palette.to(sticker))
        how = {"scene": self._params.scene.plain()}
        pattern = from_unit(sticker, self._range)
        return Print(kind=Kind.STICKER, pattern=pattern, mask=self._mask(pattern), how=how)

    def _size(self, sticker: Tensor, photos: Tensor, mask: Tensor) -> Tensor:
        """The mean over photos of ||M (s - x)||_p / ||M||_p."""
        order = 1 if self._params.size_norm == "l1" else 2
        step = ((sticker - photos) * mask).flatten(1)
        length: Tensor = torch.linalg.vector_norm(step, ord=order, dim=1)
        whole: Tensor = torch.linalg.vector_norm(mask.expand_as(sticker).flatten(), ord=order)
        return (length / whole).mean()

    def _mask(self, like: Tensor) -> Tensor:
        height, width = self._task.signature.shape[-2:]
        mask = like.new_zeros(1, height, width)
        for rectangle in self._params.mask:
            rows, columns = _pixels(rectangle, height, width)
            mask[:, rows, columns] = 1
        return mask


def _pixels(rectangle: Rectangle, height: int, width: int) -> tuple[slice, slice]:
    left, top, right, bottom = rectangle
    return slice(round(top * height), round(bottom * height)), slice(round(left * width), round(right * width))
