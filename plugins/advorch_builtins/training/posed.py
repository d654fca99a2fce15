"""Training on what a camera would see of the samples, so that a pose alone fools nobody.

It makes the control of attacks that are fitted over poses: those attack nets that know their object from all sides.
"""

import torch
from torch import Tensor
from torch.nn import functional

from advorch.kit.perturbation.poses import drawn
from advorch.kit.perturbation.render import photograph
from advorch.kit.perturbation.units import box_of_images, from_unit, to_unit
from advorch.kit.training.step import Step, accuracy
from advorch_builtins.training.catalog import PosedParams


def loss(step: Step, params: PosedParams) -> Tensor:
    """Mean cross-entropy of photographs, and of some samples as they are; logs the accuracy on both."""
    logits = step.model(_shown(step, params))
    step.log("accuracy", accuracy(logits, step.y))
    return functional.cross_entropy(logits, step.y)


def _shown(step: Step, params: PosedParams) -> Tensor:
    box = box_of_images(tuple(step.x.shape[1:]), step.box)
    rng, pictures = step.draws("pose"), to_unit(step.x, box)
    poses, frame = drawn(params.scene, rng, pictures), (step.x.shape[2], step.x.shape[3])
    photos = from_unit(photograph(pictures, poses, params.scene, rng, frame=frame), box)
    plain = rng.fork("plain").uniform((1, 1, 1), like=step.x) < params.unposed
    return torch.where(plain, step.x, photos)
