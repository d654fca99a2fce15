"""Adversarial training of hidden layers: Goodfellow, Shlens and Szegedy 2015 (arXiv:1412.6572), section 7; no number.

alpha J(f(x)) + (1 - alpha) J(f(x; h_l + epsilon |h_l| sign(grad_{h_l} J))), |h_l| the root mean square of what the
layer says of a sample. Saturating units gain by it; units without a bound just grow, so that only a size relative to
their own means anything; and the last hidden layer, after which all is linear, gains nothing.
"""

from collections.abc import Sequence
from contextlib import ExitStack

from torch import Tensor
from torch.nn import functional

from advorch.api import ErrorClass, StageFailed
from advorch.kit.attack.hidden import activations, shifted, strength, worst_shift
from advorch.kit.attack.traceless import untouched
from advorch.kit.training.step import Step
from advorch_builtins.defenses.catalog_losses import HiddenParams


def loss(step: Step, params: HiddenParams) -> Tensor:
    """All layers are perturbed in one pass, each in the direction that it would have alone."""
    shifts = worst_shifts(step, params)
    clean = functional.cross_entropy(step.model(step.x), step.y) if params.alpha else 0.0
    with ExitStack() as stack:
        for layer, shift in shifts.items():
            stack.enter_context(shifted(step.model, layer, shift))
        logits = step.model(step.x)
    step.judge(logits)
    return params.alpha * clean + (1 - params.alpha) * functional.cross_entropy(logits, step.y)


def worst_shifts(step: Step, params: HiddenParams) -> dict[str, Tensor]:
    """By layer; the model is as it was."""
    model, epsilon = step.model, params.epsilon * step.strength.epsilon
    with untouched(model, params.mode, seed=step.draws("hidden").seed):
        return {
            layer: worst_shift(model, layer, step.x, step.y, _radius(step, layer, epsilon, params.relative)).detach()
            for layer in _layers(step, params.layers)
        }


def _radius(step: Step, layer: str, epsilon: float, relative: bool) -> float | Tensor:
    return epsilon * strength(step.model, layer, step.x) if relative else epsilon


def _layers(step: Step, named: Sequence[str]) -> Sequence[str]:
    found = named or activations(step.model, step.x[:2])
    if not found:
        hint = "name `layers`, as `named_modules` calls them"
        raise StageFailed("the model has no hidden layer that bends", error_class=ErrorClass.USER, hint=hint)
    return found
