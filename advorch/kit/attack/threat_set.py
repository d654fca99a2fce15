"""The set of points that an attacker may choose, around clean samples: a norm ball cut by the box of legal values."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from advorch.kit.attack import projection
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.rows import euclidean, largest, per_sample, size, total
from advorch.kit.box import ends_of
from advorch.threat import Box, Norm


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatSet:
    """Built once for clean samples; what comes out of it obeys box and norm to one unit in the last place."""

    x: Tensor
    norm: Norm
    epsilon: Tensor
    lower: Tensor | None
    upper: Tensor | None
    mask: Tensor | None = None

    @classmethod
    def around(
        cls, x: Tensor, norm: Norm, epsilon: float | Tensor, *, box: Box | None = None, mask: Tensor | None = None
    ) -> "ThreatSet":
        """A radius for all or for each sample; where `mask` is false nothing may change."""
        x = x.detach()
        given = epsilon.to(x) if isinstance(epsilon, Tensor) else x.new_full((1,), epsilon)
        radius = given.reshape(-1).expand(len(x))
        moving = None if mask is None else mask.to(x.device, torch.bool).expand_as(x)
        lower, upper = _bounds(x, radius if norm is Norm.LINF else None, box, moving)
        return cls(x=x, norm=norm, epsilon=radius, lower=lower, upper=upper, mask=moving)

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: "Tensor | slice") -> "ThreatSet":
        """The sets of the samples at an index."""
        return ThreatSet(
            x=self.x[index],
            norm=self.norm,
            epsilon=self.epsilon[index],
            lower=None if self.lower is None else self.lower[index],
            upper=None if self.upper is None else self.upper[index],
            mask=None if self.mask is None else self.mask[index],
        )

    def project(self, z: Tensor) -> Tensor:
        """The nearest point of the set; what is inside comes back as it is."""
        if self.norm not in _ONTO:
            return self._clip(z)
        step = z - self.x
        shrunk = _ONTO[self.norm](step.abs(), self.room(step), self.epsilon.double())
        nearest = self._clip(projection.step_from(self.x, torch.copysign(shrunk, step)))
        return torch.where(per_sample(self.contains(z), z), z, nearest)

    def random(self, rng: Draws) -> Tensor:
        """A uniform draw from the ball, brought into the box."""
        return self.project(self.x + _BALL[self.norm](self, rng))

    def distance(self, z: Tensor) -> Tensor:
        """How far each sample has moved in the set's norm, in double precision."""
        return _LENGTH[self.norm](z - self.x)

    def contains(self, z: Tensor) -> Tensor:
        """Which samples are finite, in the box and within epsilon, to one unit in the last place."""
        legal = torch.isfinite(z)
        if self.lower is not None and self.upper is not None:
            legal &= (z >= self.lower) & (z <= self.upper)
        whole = legal.flatten(1).all(1)
        return whole if self.norm is Norm.UNBOUNDED else whole & (self.distance(z) <= self._reach())

    def movable(self, z: Tensor, direction: Tensor) -> Tensor:
        """The numbers that a step along `direction` would move: neither masked nor already at that side of the box."""
        if self.lower is None or self.upper is None:
            return direction != 0
        return ((direction > 0) & (z < self.upper)) | ((direction < 0) & (z > self.lower))

    def room(self, direction: Tensor) -> Tensor:
        """How far the box lets each number go from the clean sample in a direction."""
        if self.lower is None or self.upper is None:
            return torch.full_like(direction, math.inf)
        return torch.where(direction > 0, self.upper - self.x, self.x - self.lower)

    def _clip(self, z: Tensor) -> Tensor:
        return z if self.lower is None or self.upper is None else z.clamp(self.lower, self.upper)

    def _reach(self) -> Tensor:
        """Epsilon and one unit in its last place; in float64 the sums that measure it have errors of their own."""
        return self.epsilon.double() * (1 + max(torch.finfo(self.x.dtype).eps, 2.0**-48))

    def free(self) -> Tensor:
        """How many numbers of each sample may change."""
        everything = torch.full((len(self.x),), float(size(self.x)), dtype=torch.float64, device=self.x.device)
        return everything if self.mask is None else total(self.mask).clamp(min=1)

    def masked(self, step: Tensor) -> Tensor:
        """A step with nothing where nothing may change."""
        return step if self.mask is None else torch.where(self.mask, step, 0)


def _bounds(
    x: Tensor, radius: Tensor | None, box: Box | None, moving: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    """Everything that bounds one number at a time: the box, an linf ball, the mask."""
    if radius is None and box is None and moving is None:
        return None, None
    ends = ends_of(box or (-math.inf, math.inf), tuple(x.shape[1:]), x)
    lower, upper = (end.expand_as(x).clone() for end in ends)
    if radius is not None:
        reach = per_sample(radius, x).expand_as(x)
        lower = torch.maximum(lower, projection.step_from(x, -reach))
        upper = torch.minimum(upper, projection.step_from(x, reach))
    if moving is not None:
        lower, upper = torch.where(moving, lower, x), torch.where(moving, upper, x)
    return lower, upper


def _cube(ball: ThreatSet, rng: Draws) -> Tensor:
    unit = rng.uniform(ball.x.shape[1:], -1.0, 1.0, like=ball.x)
    return unit * per_sample(ball.epsilon, ball.x)


def _l2_ball(ball: ThreatSet, rng: Draws) -> Tensor:
    """A normal direction, and a radius by the share of the ball's volume inside it."""
    direction = ball.masked(rng.normal(ball.x.shape[1:], like=ball.x))
    radius = rng.uniform((), like=ball.epsilon.double()).pow(1 / ball.free()) * ball.epsilon
    return direction * per_sample(radius / euclidean(direction).clamp(min=1e-300), direction).to(direction.dtype)


def _l1_ball(ball: ThreatSet, rng: Draws) -> Tensor:
    """Exponentials over their sum, with one more that takes the slack, are uniform on the solid simplex."""
    sides = ball.masked(rng.exponential(ball.x.shape[1:], like=ball.x))
    whole = total(sides) + rng.exponential((), like=ball.epsilon.double())
    signs = rng.sign(ball.x.shape[1:], like=ball.x)
    return signs * sides * per_sample(ball.epsilon / whole, sides).to(sides.dtype)


def _somewhere(ball: ThreatSet, rng: Draws) -> Tensor:
    """Without a ball: anywhere in the box, and nowhere else where it has no end."""
    share = rng.uniform(ball.x.shape[1:], like=ball.x)
    if ball.lower is None or ball.upper is None:
        return torch.zeros_like(ball.x)
    width = ball.upper - ball.lower
    return torch.where(torch.isfinite(width), ball.lower + width * share, ball.x) - ball.x


def _few(ball: ThreatSet, rng: Draws) -> Tensor:
    """As many numbers as epsilon counts, each anywhere in the box."""
    chosen = projection.ranks(ball.masked(rng.uniform(ball.x.shape[1:], like=ball.x))) < per_sample(
        ball.epsilon, ball.x
    )
    return torch.where(chosen, _somewhere(ball, rng), 0)


def _count(step: Tensor) -> Tensor:
    return total(step != 0)


def _most(step: Tensor) -> Tensor:
    return largest(step).double()


def _sum(step: Tensor) -> Tensor:
    return total(step.abs())


_ONTO: Final[dict[Norm, Callable[[Tensor, Tensor, Tensor], Tensor]]] = {
    Norm.L2: projection.onto_l2,
    Norm.L1: projection.onto_l1,
    Norm.L0: projection.onto_l0,
}
_BALL: Final[dict[Norm, Callable[[ThreatSet, Draws], Tensor]]] = {
    Norm.LINF: _cube,
    Norm.L2: _l2_ball,
    Norm.L1: _l1_ball,
    Norm.L0: _few,
    Norm.UNBOUNDED: _somewhere,
}
_LENGTH: Final[dict[Norm, Callable[[Tensor], Tensor]]] = {
    Norm.LINF: _most,
    Norm.L2: euclidean,
    Norm.L1: _sum,
    Norm.L0: _count,
    Norm.UNBOUNDED: _most,
}
