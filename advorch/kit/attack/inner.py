"""An attack as a step of training: any attack component, on the module as it is being trained."""

from typing import Any

from torch import Tensor, nn

from advorch.components import Attack
from advorch.kit.attack.checks import check_threat
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import draw_targets
from advorch.kit.attack.traceless import Mode, untouched
from advorch.kit.attack.victim import Finish, Victim
from advorch.threat import Box


class InnerAttack:
    """Called once a batch: no early exit, no waiting for the device, random numbers by seed and sample id.

    The caller folds the epoch into `seed`. Hand it the bare module, not its distributed wrapper.
    """

    def __init__(
        self,
        attack: Attack[Any],
        params: Any,
        *,
        box: Box | None,
        mode: Mode = "eval",
        finish: Finish = Finish.LAST,
    ) -> None:
        check_threat(attack, params)
        self.attack = attack
        self.params = params
        self.box = box
        self.mode: Mode = mode
        self.finish = finish
        self._perturb = attack.load()

    def __call__(self, module: nn.Module, x: Tensor, y: Tensor, ids: Tensor, seed: int) -> Tensor:
        """A point for each sample inside the ball of `params`, detached; the module is as before."""
        return self.at(module, x, y, Draws(seed, ids), self.params.epsilon)

    def at(self, module: nn.Module, x: Tensor, y: Tensor, rng: Draws, epsilon: float | Tensor) -> Tensor:
        """The same within a radius of its own for each sample."""
        rng = rng.fork(self.attack.id)
        victim = Victim(
            module,
            box=self.box,
            norm=self.params.norm,
            epsilon=epsilon,
            access=self.attack.threat.access,
            targeted=self.params.targeted,
            finish=self.finish,
        )
        with untouched(module, self.mode, seed=rng.fork("module").seed):
            goal = draw_targets(rng, y, victim.classes(x)) if victim.targeted else y
            return self._perturb(victim, x.detach(), goal, self.params, rng).detach()
