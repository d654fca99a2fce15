"""The plain loss, or the adversarial one where there is an attack: what a part that defends is trained with."""

from torch import Tensor

from advorch.kit.training.step import Step
from advorch_builtins.defenses.adversarial import mixed, plain
from advorch_builtins.defenses.catalog_parts import MaybeAttackedParams


def loss(step: Step, params: MaybeAttackedParams) -> Tensor:
    """alpha J(x) + (1 - alpha) J(x_adv), or J(x)."""
    return plain(step, step.x, params.loss) if params.attack is None else mixed(step, params.attack, params)
