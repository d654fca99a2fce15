"""A robust three-dimensional adversarial: Athalye, Engstrom, Ilyas and Kwok, "Synthesizing robust adversarial
examples", ICML 2018.

Maximise E_t [log p(target | t(texture)) - lambda d(t(texture), t(original))] over random poses, light, backgrounds, by
Adam on the texture: t renders the object, and d compares its two views in LAB, where distances are as they look.
"""

from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.data import Data
from advorch.kit.perturbation.ascent import Cost, beginning, descended, reached, slope, towards
from advorch.kit.perturbation.colour import apart
from advorch.kit.perturbation.fitted import Kind, Print
from advorch.kit.perturbation.fitting import FitTask, State, Turn
from advorch.kit.perturbation.poses import Poses, drawn
from advorch.kit.perturbation.render import photograph
from advorch.kit.perturbation.units import from_unit, image_range, to_unit
from advorch_builtins.attacks.catalog_fitted import TextureParams


class TextureFitting:
    """Adam over poses: each sample of a minibatch stands for one, since it is the draws that make it."""

    def __init__(self, task: FitTask, params: TextureParams) -> None:
        self._task = task
        self._params = params
        self._range = image_range(task.signature)
        if params.sample >= len(task.data):
            message = f"sample {params.sample} is wanted, and there are {len(task.data)}"
            raise StageFailed(message, error_class=ErrorClass.USER)
        if params.distance == "lab" and task.signature.shape[0] != 3:
            hint = "set `distance: rgb`, which takes any number of channels"
            raise StageFailed(
                "LAB compares colours, and these images have none", error_class=ErrorClass.USER, hint=hint
            )
        self._original = to_unit(task.data.x[params.sample], self._range)

    def begin(self) -> State:
        """The surface as it is."""
        return beginning(self._original.clone())

    def advance(self, state: State, batch: Data, number: int, rng: Draws) -> Turn:
        """One step over as many poses as the batch has samples."""
        poses, goal = drawn(self._params.scene, rng, batch.x), self._task.goals(batch.y)
        before = self._views(self._original.to(batch.x), len(batch), poses, rng)
        told: dict[str, Tensor] = {}

        def cost(texture: Tensor) -> Cost:
            views = self._views(texture, len(batch), poses, rng)
            found = towards(self._task.module, from_unit(views, self._range), goal)
            told["distance"] = apart(views, before, self._params.distance).mean()
            return Cost(found.value + self._params.lambda_ * told["distance"], found.logits)

        gradient, seen = slope(state["pattern"], cost)
        state = descended(state, gradient, number, self._params.lr, lambda texture: texture.clamp(0, 1))
        metrics = {"loss": seen.value, "reached": reached(seen.logits, goal)}
        return Turn(state, metrics | {"distance": told["distance"].detach()})

    def enough(self, state: State) -> bool:
        """Every step helps."""
        return False

    def finish(self, state: State) -> Print:
        """The texture, the surface that it replaces, and the scene."""
        pattern, original = from_unit(state["pattern"], self._range), from_unit(self._original, self._range)
        label = int(self._task.data.y[self._params.sample])
        scene = self._params.scene.plain()
        return Print(kind=Kind.TEXTURE, pattern=pattern, original=original, how={"scene": scene, "label": label})

    def _views(self, texture: Tensor, count: int, poses: Poses, rng: Draws) -> Tensor:
        frame = (self._task.signature.shape[1], self._task.signature.shape[2])
        return photograph(texture.expand(count, -1, -1, -1), poses, self._params.scene, rng, frame=frame)
