"""Random FGSM: the inner attack of Wong, Rice and Kolter, "Fast is better than free", ICLR 2020 (arXiv:2001.03994).

z = project(u + alpha epsilon sign(grad J(u, y))), u drawn evenly within `noise` epsilon of the sample. The step may be
longer than epsilon: the ball cuts it. In the authors' code for CIFAR-10 u is brought into the box, in that for MNIST it
is not (`outside`): there most numbers of a digit would begin and end where FGSM does. An attack begins inside.
"""

from torch import Tensor

from advorch.api import AttackRef
from advorch.kit.attack.directions import sign
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import Recipe, ascend
from advorch.kit.attack.rows import per_sample
from advorch.kit.attack.schedules import share_of_epsilon
from advorch.kit.attack.step import Start
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Finish, Victim
from advorch_builtins.attacks.catalog_near import RandomFgsmParams


def perturb(victim: Victim, x: Tensor, y: Tensor, params: RandomFgsmParams, rng: Draws) -> Tensor:
    """One step from a random place."""
    start = _within(params.noise)
    legal = not params.outside or victim.finish is Finish.FOOLED  # then the start itself may be the answer
    recipe = Recipe(
        steps=1,
        direction=sign,
        schedule=share_of_epsilon(params.alpha),
        start=_legal(start) if legal else start,
    )
    return ascend(victim, x, y, recipe, rng)


def _within(share: float) -> Start:
    def start(ball: ThreatSet, rng: Draws) -> Tensor:
        noise = rng.fork("start").uniform(ball.x.shape[1:], -share, share, like=ball.x)
        return ball.x + ball.masked(noise * per_sample(ball.epsilon, noise))

    return start


def _legal(start: Start) -> Start:
    return lambda ball, rng: ball.project(start(ball, rng))


def unbounded(epsilon: float, noise: float, alpha: float, outside: bool) -> AttackRef:
    """The step from within `noise` epsilon that nothing but the box cuts, as an attack in the ball that holds it all.

    N-FGSM: de Jorge et al., NeurIPS 2022 (arXiv:2202.01181).
    """
    reach = noise + alpha
    return bounded(reach * epsilon, noise / reach, alpha / reach, outside)


def bounded(epsilon: float, noise: float, alpha: float, outside: bool) -> AttackRef:
    """The same cut by the ball."""
    sizes = {"epsilon": epsilon, "noise": noise, "alpha": alpha}
    return AttackRef(uses="random-fgsm", with_={**sizes, "outside": outside})
