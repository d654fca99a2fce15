"""A universal perturbation, a patch or a sticker that was fitted beforehand, on samples that it has not seen.

Nothing is asked of the victim. A universal perturbation is added and brought into the stage's own ball, so a smaller
epsilon cuts it; patches and stickers are what they are, and take `norm: unbounded`.
"""

from torch import Tensor

from advorch.api import ErrorClass, Norm, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.victim import Victim
from advorch.kit.perturbation.applying import apply, check_samples
from advorch.kit.perturbation.fitted import Kind
from advorch_builtins.attacks.catalog_fitted import ApplyParams


def perturb(victim: Victim, x: Tensor, y: Tensor, params: ApplyParams, rng: Draws) -> Tensor:
    """The samples with the perturbation on them."""
    fitted = victim.perturbation
    if fitted is None:
        hint = "use it as an attack stage, with `in: {perturbation: STAGE.perturbation}`"
        raise StageFailed("there is no perturbation to apply", error_class=ErrorClass.USER, hint=hint)
    check_samples(fitted, tuple(x.shape[1:]))
    if fitted.print.kind is not Kind.UNIVERSAL and victim.norm is not Norm.UNBOUNDED:
        message = f"a {fitted.print.kind.value} is not small in {victim.norm.value}"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="set `norm: unbounded`")
    return victim.ball(x).project(apply(fitted.print, x, rng, victim.box))
