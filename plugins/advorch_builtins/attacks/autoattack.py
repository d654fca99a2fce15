"""AutoAttack: Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
attacks", ICML 2020; in l1 "Mind the box", ICML 2021.

standard: APGD on the cross-entropy, APGD on the targeted ratio, targeted FAB, Square; plus: the two untargeted APGD and
FAB with five restarts, Square, and both targeted attacks; rand, for models that draw: the two untargeted APGD along
means of 20 gradients. A sample is robust if it withstands all of them. It is blind to defences that break gradients and
scores alike, and no substitute for an attack that knows the defence.

Where it is not the authors' program: with fewer than ten classes there are as many targets as wrong classes, with fewer
than four APGD follows the difference of two logits, and with two the margin; FAB without a target looks at the ten
likeliest classes; each sample has squares of its own, anywhere in the picture, which need not be square; who is fooled
leaves at once; Square asks nothing twice; in l1 every version goes through larger balls first, and moves what the box
does not hold; other ascents begin anywhere in the ball; the first checkpoint counts from the loss of the start.
"""

from collections.abc import Sequence

from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.chain import Link, chain
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks import apgd, fab, fab_t, square
from advorch_builtins.attacks.catalog_apgd import ApgdParams, ApgdTargetedParams
from advorch_builtins.attacks.catalog_black_box import SquareParams
from advorch_builtins.attacks.catalog_ensemble import AutoAttackParams
from advorch_builtins.attacks.catalog_minimal import FabParams, FabTParams

_HORIZON = 10_000  # the authors halve the squares as if twice as many queries were to come
_RESTARTS = 5
_DRAWS = 20
_TARGETS_IN_L1 = 5


def perturb(victim: Victim, x: Tensor, y: Tensor, params: AutoAttackParams, rng: Draws) -> Tensor:
    """One attack after the other on whoever stands."""
    return chain(prepared(victim, params, x), x, y, links(victim.norm, params), rng)


def prepared(victim: Victim, params: AutoAttackParams, x: Tensor) -> Victim:
    """The victim as the search in some precision likes it best."""
    return victim.lightened(x[:1]) if params.precision == "bf16" else victim


def links(norm: Norm, params: AutoAttackParams) -> Sequence[Link]:
    """The attacks of a version, in the authors' order."""
    ce, dlr, towards = _ascents(norm, params)
    walk, walk_towards = _walks(params)
    squares = Link(name="square", perturb=square.perturb, params=_squares(params))
    return {
        "standard": (ce, towards, walk_towards, squares),
        "plus": (ce, dlr, walk, squares, towards, walk_towards),
        "rand": (ce, dlr),
    }[params.version]


def _ascents(norm: Norm, params: AutoAttackParams) -> tuple[Link, Link, Link]:
    many = params.version == "plus" or (params.version == "standard" and norm is Norm.L1)
    usual = ApgdParams(
        steps=params.steps,
        restarts=params.restarts or (_RESTARTS if many else 1),
        draws=params.draws or (_DRAWS if params.version == "rand" else 1),
        precision=params.precision,
    )
    few = norm is Norm.L1 and params.version == "standard"
    targets = min(params.targets, _TARGETS_IN_L1) if few else params.targets
    targeted = ApgdTargetedParams(steps=params.steps, targets=targets, draws=usual.draws, precision=params.precision)
    return (
        Link(name="apgd-ce", perturb=apgd.perturb_ce, params=usual),
        Link(name="apgd-dlr", perturb=apgd.perturb_dlr, params=usual),
        Link(name="apgd-t", perturb=apgd.perturb_towards, params=targeted),
    )


def _walks(params: AutoAttackParams) -> tuple[Link, Link]:
    free = FabParams(steps=params.steps, restarts=params.restarts or _RESTARTS, precision=params.precision)
    targeted = FabTParams(steps=params.steps, targets=params.targets, precision=params.precision)
    return (
        Link(name="fab", perturb=fab.perturb, params=free),
        Link(name="fab-t", perturb=fab_t.perturb, params=targeted),
    )


def _squares(params: AutoAttackParams) -> SquareParams:
    return SquareParams(queries=params.queries, horizon=_HORIZON, precision=params.precision)
