"""FAB: Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary attack", ICML 2020.

At z, with the nearest linearised boundary pi: d = proj_pi(z) - z and d0 = proj_pi(x) - x, both inside the box, then
z <- (1 - a) (z + eta d) + a (x + eta d0) with a = min(||d|| / (||d|| + ||d0||), 0.1); a point that fools is pulled
back to x + beta (z - x) and the search goes on from there. The way leads through the whole box, also where epsilon is
given: then who has been fooled within it leaves. Works in linf, l2 and l1 and does not care how logits are scaled. It
fails where the gradient at the boundary is masked; with many classes `fab-t` is cheaper and stronger.
"""

import torch
from torch import Tensor

from advorch.api import Budget
from advorch.kit.attack.classes import ClassLook, runners_up
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.hyperplane import nearest_lead, onto_hyperplane
from advorch.kit.attack.nearest import Nearest
from advorch.kit.attack.objectives import margin
from advorch.kit.attack.rows import per_sample, total
from advorch.kit.attack.shrink import Shrink, Walk, height_of, nobody, outcome, shrink, unfinished
from advorch.kit.attack.slopes import Height
from advorch.kit.attack.step import Memory
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_minimal import FabParams, FabSettings

_SHARE_OF_CLEAN = 0.1


def perturb(victim: Victim, x: Tensor, y: Tensor, params: FabParams, rng: Draws) -> Tensor:
    """Against the nearest boundary of all that are looked at."""
    memory = {} if victim.targeted else {"classes": runners_up(victim, x, y, params.classes)}
    return outcome(victim, x, approach(victim, x, y, params, rng, best=Nearest.nothing(x), memory=memory))


def approach(  # noqa: PLR0913 - what is known already, and the classes, differ between the two forms
    victim: Victim, x: Tensor, y: Tensor, params: FabSettings, rng: Draws, *, best: Nearest, memory: Memory
) -> Nearest:
    """One search from the sample, and one from a random point nearby for each further restart."""
    recipe, memory = _recipe(victim, x, params), {**memory, "epsilon": victim.judged_ball(x).epsilon}
    for restart in range(params.restarts):
        rows = unfinished(victim, x, best)
        if not len(rows):
            break
        part, clean, known = victim.roaming().take(rows), x[rows], best.take(rows)
        start = _nearby(part, clean, known, rng.fork(restart).take(rows)) if restart else clean
        own = {name: values[rows] for name, values in memory.items()}
        found = shrink(part, clean, y[rows], recipe, objective=margin, start=start, memory=own)
        best = best.put(rows, known.joined(found))
    return best


def side_by_side(
    victim: Victim, x: Tensor, y: Tensor, params: FabSettings, *, best: Nearest, classes: Tensor
) -> Nearest:
    """What `approach` finds for one column of classes after the other, by searches that go on together."""
    rows, count = unfinished(victim, x, best), classes.shape[1]
    if not len(rows):
        return best
    memory = {
        "classes": classes[rows].T.reshape(-1, 1),
        "epsilon": victim.judged_ball(x).epsilon[rows].repeat(count),
    }
    tiled = rows.repeat(count)
    part, clean, labels = victim.roaming().take(tiled), x[tiled], y[tiled]
    found = shrink(part, clean, labels, _recipe(victim, x, params), objective=margin, memory=memory)
    for column in torch.split(torch.arange(len(tiled), device=rows.device), len(rows)):
        going = torch.isin(rows, unfinished(victim, x, best)).nonzero().squeeze(1)
        still = rows[going]
        best = best.put(still, best.take(still).joined(found.take(column[going])))
    return best


def _recipe(victim: Victim, x: Tensor, params: FabSettings) -> Shrink[Height]:
    fixed = victim.budget is not Budget.MINIMAL
    halves = fixed and params.precision == "bf16" and x.dtype == torch.float32

    def move(walk: Walk, seen: Height) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=halves):
            return _move(walk, params)

    return Shrink(
        steps=params.steps,
        look=_look_beyond if halves else height_of(margin),
        move=move,
        done=_near_enough if fixed else nobody,
    )


def _move(walk: Walk, params: FabSettings) -> Tensor:
    ball, x = walk.ball, walk.ball.x
    z = torch.where(per_sample(walk.fooled, x), x + params.beta * (walk.z - x), walk.z)
    lead, slope = _boundary(walk, z)
    here = onto_hyperplane(ball, z, slope, -lead)
    clean = onto_hyperplane(ball, x, slope, total(slope * (z - x)) - lead)
    far, further = ball.distance(x + here).clamp(min=1e-8), ball.distance(x + clean).clamp(min=1e-8)
    share = per_sample((far / (far + further)).clamp(max=_SHARE_OF_CLEAN), x).to(x.dtype)
    return ball.project((1 - share) * (z + params.eta * here) + share * (x + params.eta * clean))


def _look_beyond(walk: Walk) -> Height:
    """Beyond epsilon, where no verdict is made, in bfloat16."""
    with torch.autocast(walk.z.device.type, torch.bfloat16):
        value, logits = walk.victim.value(walk.z, walk.y, margin)
    logits = logits.to(walk.z.dtype)
    near = (walk.ball.distance(walk.z) <= walk.memory["epsilon"]).nonzero().squeeze(1)
    if not len(near):
        return Height(value, logits)
    seen = walk.victim.take(near).value(walk.z[near], walk.y[near], margin)
    return Height(value.index_copy(0, near, seen.value), logits.index_copy(0, near, seen.logits))


def _near_enough(walk: Walk) -> Tensor:
    return walk.nearest.within(walk.memory["epsilon"])


def _boundary(walk: Walk, z: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest linearised boundary: its lead and slope; with a target that between it and the best other class."""
    if walk.victim.targeted:
        lead, slope, _ = walk.victim.value_and_gradient(z, walk.y, margin)
        return lead, walk.ball.masked(slope)
    seen = ClassLook.from_point(walk, z)
    return nearest_lead(walk.ball.norm, seen.lead, seen.gradient)


def _nearby(victim: Victim, x: Tensor, best: Nearest, rng: Draws) -> Tensor:
    """Within half of the way to what fooled and half of epsilon; with neither, to how far the search went."""
    radius = torch.minimum(best.distance, victim.judged_ball(x).epsilon.double())
    radius = torch.where(radius.isfinite(), radius, victim.ball_of(x, torch.inf).distance(best.z))
    return victim.ball_of(x, radius / 2).random(rng)
