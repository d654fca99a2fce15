"""L-BFGS: Szegedy et al., "Intriguing properties of neural networks", ICLR 2014.

min_z ||z - x||^2 + c J(z) inside the box, by box-constrained L-BFGS, for the smallest c that fools: a line search on c
for each sample. J is the cross-entropy of the target; without a target it is that of the best other class against the
label alone, which, unlike the negated loss of the label, is bounded and points at one boundary. Value and gradient
come from one call: the well-known batched version negates only one of them. All samples are solved at once, each with
its own history and step. It fails, slowly, where J is flat: on overconfident models use `cw` or `ddn`.
"""

from torch import Tensor
from torch.nn import functional

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.nearest import Nearest
from advorch.kit.attack.objectives import cross_entropy, margin
from advorch.kit.attack.quasi_newton import fresh, next_trial
from advorch.kit.attack.rows import per_sample, total
from advorch.kit.attack.shrink import Shrink, Walk, outcome, shrink, slope_of
from advorch.kit.attack.slopes import Slope
from advorch.kit.attack.tradeoff import smallest_constant
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_minimal import LbfgsParams

_CURVATURE = 2.0  # of the squared distance


def perturb(victim: Victim, x: Tensor, y: Tensor, params: LbfgsParams, rng: Draws) -> Tensor:
    """One minimisation for each constant, the nearest result of all."""

    def minimise(victim: Victim, x: Tensor, y: Tensor, constant: Tensor) -> Nearest:
        return _minimise(victim, x, y, constant, params.steps)

    best = smallest_constant(victim, x, y, minimise, first=params.constant, searches=params.searches)
    return outcome(victim, x, best)


def escape(logits: Tensor, y: Tensor) -> Tensor:
    """The cross-entropy of the best other class against the label alone, negated: it climbs to zero."""
    return -functional.softplus(-margin(logits, y), threshold=40)


def _minimise(victim: Victim, x: Tensor, y: Tensor, constant: Tensor, steps: int) -> Nearest:
    objective = cross_entropy if victim.targeted else escape

    def move(walk: Walk, seen: Slope) -> Tensor:
        step, c = walk.z - walk.ball.x, walk.memory["c"]
        height = total(step.square()) - c * seen.value
        slope = 2 * step - per_sample(c, step).to(step.dtype) * seen.gradient
        return next_trial(walk.memory, walk.ball, walk.z, height, slope)

    recipe = Shrink(steps=steps, look=slope_of(objective), move=move, done=lambda walk: walk.memory["settled"])
    memory = fresh(x, _CURVATURE) | {"c": constant}
    return shrink(victim, x, y, recipe, objective=objective, memory=memory)
