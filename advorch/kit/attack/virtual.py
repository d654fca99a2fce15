"""The power method on the curvature of a divergence: Miyato et al., "Distributional smoothing with virtual adversarial
training", ICLR 2016 (arXiv:1507.00677)."""

from collections.abc import Callable

import torch
from torch import Tensor

from advorch.kit.attack.filters import over_l2
from advorch.kit.attack.rows import per_sample

Slope = Callable[[Tensor], Tensor]
"""The gradient of the divergence a little way along unit directions: in proportion to the Hessian times them."""


def virtual_direction(start: Tensor, slope: Slope, iterations: int) -> Tensor:
    """Of length one in l2 for each sample, after so many iterations; without any the start itself.

    A divergence has no gradient at the sample, so its Hessian is what is left. Where `slope` is zero the direction
    stays what it was.
    """
    direction = over_l2(start)
    for _ in range(iterations):
        found = over_l2(slope(direction))
        direction = torch.where(per_sample(found.flatten(1).any(1), found), found, direction)
    return direction
