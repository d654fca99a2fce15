"""The cascade: AutoAttack (see autoattack.py) behind attacks that cost a hundredth of it.

A few steps of PGD, short ascents towards the three likeliest classes and a hundred squares come first; whoever they do
not fool goes through every attack of AutoAttack, whole and with the random numbers that it has there. So whoever stands
here stands there too, to the bit, and the verdict is at least as strong. What is saved are the long attacks on samples
that a later one would have fooled; a sample that withstands costs one or two per cent more, and most of a robust
model's bill is for those.
"""

from collections.abc import Sequence

from torch import Tensor

from advorch.kit.attack.chain import Link, chain
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks import apgd, autoattack, pgd, square
from advorch_builtins.attacks.catalog import PgdParams
from advorch_builtins.attacks.catalog_apgd import ApgdTargetedParams
from advorch_builtins.attacks.catalog_black_box import SquareParams
from advorch_builtins.attacks.catalog_ensemble import AutoAttackParams

_STEPS, _STEPS_TOWARDS, _TARGETS, _QUERIES = 10, 20, 3, 100


def perturb(victim: Victim, x: Tensor, y: Tensor, params: AutoAttackParams, rng: Draws) -> Tensor:
    """Cheap attacks, then all of AutoAttack on whoever stands."""
    links = [*_cheap(params), *autoattack.links(victim.norm, params)]
    return chain(autoattack.prepared(victim, params, x), x, y, links, rng)


def _cheap(params: AutoAttackParams) -> Sequence[Link]:
    steps = PgdParams(steps=min(_STEPS, params.steps), precision=params.precision)
    if params.version == "rand":
        return (Link(name="cheap-pgd", perturb=pgd.perturb, params=steps),)
    towards = ApgdTargetedParams(
        steps=min(_STEPS_TOWARDS, params.steps), targets=min(_TARGETS, params.targets), precision=params.precision
    )
    squares = SquareParams(queries=min(_QUERIES, params.queries), precision=params.precision)
    return (
        Link(name="cheap-pgd", perturb=pgd.perturb, params=steps),
        Link(name="cheap-apgd-t", perturb=apgd.perturb_towards, params=towards),
        Link(name="cheap-square", perturb=square.perturb, params=squares),
    )
