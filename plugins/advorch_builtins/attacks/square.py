"""Square: Andriushchenko, Croce, Flammarion and Hein, "Square attack: a query-efficient black-box adversarial attack
via random search", ECCV 2020; in l1 Croce and Hein, "Mind the box", ICML 2021.

In linf: start from vertical stripes of x +- epsilon; then paint one random square with one corner of the ball for each
channel, and keep it if the margin falls. The share p of the image that a square covers is halved along a fixed
schedule, stretched to the number of queries. The l2 form moves mass from one window into a two-sided bump in another;
in l1 the bump is more pointed, gets as much for each channel as there is for all, and the rest is left to the
projection. Squares are drawn for each sample, images need not be square, and vectors are images of one row. It fails
where the scores are constant around the sample: nothing is better than what it has.
"""

from functools import partial

import torch
from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.trials import Trials, keep_best
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_black_box import SquareParams
from advorch_builtins.attacks.square_windows import Picture, Window, bump, place, tiles

_HALVED_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10,000 queries
_ORDER = {Norm.L2: 2, Norm.L1: 1}
_TINY = 1e-12


def perturb(victim: Victim, x: Tensor, y: Tensor, params: SquareParams, rng: Draws) -> Tensor:
    """Random squares, as many as there are queries."""
    propose = {Norm.LINF: _paint, Norm.L2: _move_mass, Norm.L1: _move_and_project}[victim.norm]
    trials = Trials(
        propose=partial(propose, params),
        queries=params.queries,
        bfloat16=params.precision == "bf16" and x.dtype == torch.float32,
    )
    return keep_best(victim, x, y, trials, rng)


def share_at(number: int, params: SquareParams) -> float:
    """The share of the image that the square of a query covers."""
    scaled = int(number / (params.horizon or params.queries) * 10_000)
    halvings = sum(scaled > threshold for threshold in _HALVED_AFTER)
    return float(params.share * 0.5**halvings)


def _paint(params: SquareParams, ball: ThreatSet, best: Tensor, number: int, rng: Draws) -> Tensor:
    """One square, or all stripes, at a corner of the ball cut by the box."""
    assert ball.lower is not None
    assert ball.upper is not None
    picture = Picture.of(best)
    if number:
        inside = picture.window(share_at(number, params)).inside(rng, like=best)[:, None]
        signs = rng.sign((picture.channels, 1, 1), like=best)
    else:
        inside = torch.ones((), dtype=torch.bool, device=best.device)
        signs = rng.sign((picture.channels, 1, picture.width), like=best)
    corner = torch.where(signs > 0, picture.view(ball.upper), picture.view(ball.lower))
    return torch.where(inside, corner, picture.view(best)).view_as(best)


def _move_mass(params: SquareParams, ball: ThreatSet, best: Tensor, number: int, rng: Draws) -> Tensor:
    """One bump, or a carpet of them, as long as epsilon."""
    step = _heaped(params, ball, best, number, rng)
    step = step / (step.square().sum((1, 2, 3), keepdim=True).sqrt() + _TINY) * ball.epsilon[:, None, None, None]
    return ball.project(ball.x + step.view_as(best))


def _move_and_project(params: SquareParams, ball: ThreatSet, best: Tensor, number: int, rng: Draws) -> Tensor:
    """The same in l1, where the projection finds the length."""
    return ball.project(ball.x + _heaped(params, ball, best, number, rng).view_as(best))


def _heaped(params: SquareParams, ball: ThreatSet, best: Tensor, number: int, rng: Draws) -> Tensor:
    picture, order = Picture.of(best), _ORDER[ball.norm]
    if not number:
        return tiles(picture, rng, like=best, order=order)
    window = picture.window(share_at(number, params)).odd()
    return _exchanged(picture.view(best - ball.x), window, ball.epsilon[:, None, None, None], order, rng)


def _exchanged(step: Tensor, window: Window, epsilon: Tensor, order: int, rng: Draws) -> Tensor:
    """A bump added to what one window holds, paid by what another holds and what epsilon has left."""
    corner, channels = window.corner(rng, like=step), step.shape[1]
    gains, pays = window.covers(corner)[:, None], window.inside(rng, like=step)[:, None]
    kept = torch.where(gains, step, 0)
    shape = bump(window, rng, like=step, order=order)
    fresh = place(shape, corner, window)[:, None] * rng.sign((channels, 1, 1), like=step)
    wanted = fresh + kept / (_length(kept, order) + _TINY)
    unspent = (epsilon**order - step.abs().pow(order).sum((1, 2, 3), keepdim=True)).clamp(min=0) / channels
    budget = (unspent + _length(torch.where(gains | pays, step, 0), order) ** order) ** (1 / order)
    budget = budget * channels if order == 1 else budget
    moved = wanted / (_length(wanted, order) + _TINY) * budget
    return torch.where(gains, moved, torch.where(pays, 0, step))


def _length(step: Tensor, order: int) -> Tensor:
    """By sample and channel."""
    length: Tensor = torch.linalg.vector_norm(step, ord=order, dim=(2, 3), keepdim=True)
    return length
