"""Training on what a camera would see of the samples, so that a pose alone fools nobody.

It makes the control of attacks that are fitted over poses: those attack nets that know their object from all sides.
"""

from torch import Tensor
from torch.nn import functional

from advorch.kit.perturbation.poses import drawn
from advorch.kit.perturbation.render import photograph
from advorch.kit.perturbation.units import box_of_images, from_unit, to_unit
from advorch.kit.training.step import Step
from advorch_builtins.training.catalog import PosedParams


def loss(step: Step, params: PosedParams) -> Tensor:
    """Mean cross-entropy of photographs, and of some samples as they are; logs the accuracy on both."""
    logits = step.model(_shown(step, params))
    step.judge(logits)
    return functional.cross_entropy(logits, step.y)


def _shown(step: Step, params: PosedParams) -> Tensor:
    box, rng = box_of_images(tuple(step.x.shape[1:]), step.box), step.draws("pose")
    posed = (rng.fork("unposed").uniform((), like=step.x) >= params.unposed).nonzero().flatten()
    if not len(posed):
        return step.x
    pictures, own = to_unit(step.x[posed], box), rng.take(posed)
    poses, frame = drawn(params.scene, own, pictures), (step.x.shape[2], step.x.shape[3])
    photos = photograph(pictures, poses, params.scene, own, frame=frame)
    return step.x.index_copy(0, posed, from_unit(photos, box))
