"""Boundary: Brendel, Rauber and Bethge, "Decision-based adversarial attacks: reliable attacks against black-box machine
learning models", ICLR 2018.

From a point that fools, noise or one of the attacker's own samples, a random walk along the boundary: a normal step
of relative length delta, bent onto the sphere around the sample, then a step of relative length epsilon towards the
sample, kept if it still fools. Each sample adapts its own delta, so that half of its sphere steps fool, and its own
epsilon, so that a quarter of its steps do. It needs labels alone and many of them: thousands of queries, and more the
more numbers a sample has. Noise is hardly ever of a class that is given: with a target, connect `candidates`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from advorch.kit.attack.decision import back_to_boundary, clipped, start_that_fools, unfinished
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.rows import euclidean, per_sample, total
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_black_box import BoundaryParams

_CHECK = 5  # steps between two looks at the point on the sphere
_WINDOW = 6  # looks between two changes of the lengths
_HALVINGS = 10
_FACTOR = 1.5


def perturb(victim: Victim, x: Tensor, y: Tensor, params: BoundaryParams, rng: Draws) -> Tensor:
    """The end of each sample's walk."""
    z, fooled = start_that_fools(victim, x, y, params.draws, rng.fork("start"))
    rows = unfinished(victim, x, z, fooled)
    if len(rows):
        walk = _Walk.begin(victim.take(rows), x[rows], y[rows], z[rows], params)
        z = z.index_copy(0, rows, walk.run(params.steps, rng.fork("walk").take(rows)))
    return victim.ball(x).project(z)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """Where the walks stand; of each sample the two lengths and how often its points fooled."""

    victim: Victim
    y: Tensor
    space: ThreatSet
    z: Tensor
    sphere: Tensor
    inward: Tensor
    steps: Tensor
    looks: Tensor

    @classmethod
    def begin(cls, victim: Victim, x: Tensor, y: Tensor, far: Tensor, params: BoundaryParams) -> "_Walk":
        return cls(
            victim=victim,
            y=y,
            space=victim.ball_of(x, torch.inf),
            z=back_to_boundary(victim, x, y, far, _HALVINGS),
            sphere=x.new_full((len(x),), params.sphere),
            inward=x.new_full((len(x),), params.inward),
            steps=x.new_zeros(len(x)),
            looks=x.new_zeros(len(x)),
        )

    def take(self, index: Tensor) -> "_Walk":
        return _Walk(
            victim=self.victim.take(index),
            y=self.y[index],
            space=self.space.take(index),
            z=self.z[index],
            sphere=self.sphere[index],
            inward=self.inward[index],
            steps=self.steps[index],
            looks=self.looks[index],
        )

    def run(self, steps: int, rng: Draws) -> Tensor:
        """So many steps of all samples, fewer of those who need no more."""
        walk, ends, rows = self, self.z, torch.arange(len(self.z), device=self.z.device)
        for number in range(steps):
            walk.step(number, rng.fork(number).take(rows))
            if (number + 1) % (_CHECK * _WINDOW) == 0:
                walk.adapt()
                ends = ends.index_copy(0, rows, walk.z)
                going = unfinished(walk.victim, walk.space.x, walk.z, torch.ones_like(rows, dtype=torch.bool))
                if not len(going):
                    return ends
                if len(going) < len(rows):
                    walk, rows = walk.take(going), rows[going]
        return ends.index_copy(0, rows, walk.z)

    def step(self, number: int, rng: Draws) -> None:
        """One proposal, and now and then a look at the sphere."""
        side, nearer = self._proposals(rng)
        fooled = self.victim.fooled(nearer, self.y)
        if number % _CHECK == 0:
            self.looks = self.looks + self.victim.fooled(side, self.y)
        self.steps = self.steps + fooled
        better = fooled & (self.space.distance(nearer) < self.space.distance(self.z))
        self.z = torch.where(per_sample(better, self.z), nearer, self.z)

    def adapt(self) -> None:
        """Longer where most points fool, shorter where few do; each sample for itself."""
        looks, steps = self.looks / _WINDOW, self.steps / (_CHECK * _WINDOW)
        self.sphere = (self.sphere * _factor(looks, 0.2, 0.5)).clamp(max=1)
        self.inward = self.inward * _factor(looks, 0.2, 0.5) * _factor(steps, 0.1, 0.25)
        self.steps, self.looks = torch.zeros_like(self.steps), torch.zeros_like(self.looks)

    def _proposals(self, rng: Draws) -> tuple[Tensor, Tensor]:
        """A point aside at the same distance, and that point nearer to the sample."""
        x, way = self.space.x, self.space.x - self.z
        distance = euclidean(way).to(x.dtype).clamp(min=torch.finfo(x.dtype).tiny)
        toward = way / per_sample(distance, way)
        noise = self.space.masked(rng.normal(x.shape[1:], like=x))
        across = noise - per_sample(total(noise * toward).to(x.dtype), noise) * toward
        length = euclidean(across).to(x.dtype).clamp(min=torch.finfo(x.dtype).tiny)
        across = across * per_sample(self.sphere * distance / length, across)
        away = (across - way) / per_sample((1 + self.sphere.square()).sqrt(), way)
        side = self._legal(x + away)
        return side, self._legal(x + (side - x) * per_sample((1 - self.inward).clamp(min=0), x))

    def _legal(self, z: Tensor) -> Tensor:
        return clipped(self.space, z[:, None]).squeeze(1)


def _factor(share: Tensor, low: float, high: float) -> Tensor:
    longer = torch.where(share > high, _FACTOR, 1.0)
    return torch.where(share < low, 1 / _FACTOR, longer)
