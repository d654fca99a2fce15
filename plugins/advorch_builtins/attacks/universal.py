"""Moosavi-Dezfooli, Fawzi, Fawzi and Frossard, "Universal adversarial perturbations", CVPR 2017; by gradient: Shafahi,
Najibi, Xu, Dickerson, Davis and Goldstein, "Universal adversarial training", AAAI 2020, and Mummadi, Brox and Metzen,
"Defending against universal perturbations with shared adversarial training", ICCV 2019.

deepfool  For samples that v does not fool, the shortest way in l2 from x + v over the nearest boundary (towards the
          target, where there is one); v goes all of their ways, and is projected onto the ball. A batch of one is
          the paper's algorithm; in a larger one all ways begin at the same v.
sgd       Steps of length alpha, along signs in linf, up the mean of min(loss, clip): who is lost already would else
          pull v where nobody gains.

Labels are the model's own, as in the paper. Both see x + v inside the box, where it will be used.
"""

import torch
from torch import Tensor

from advorch.api import ErrorClass, Norm, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Victim
from advorch.kit.data import Data
from advorch.kit.perturbation.applying import into_box
from advorch.kit.perturbation.fitted import Kind, Print
from advorch.kit.perturbation.fitting import FitTask, Fitting, State, Turn
from advorch_builtins.attacks.catalog_fitted import UniversalParams
from advorch_builtins.attacks.universal_steps import clipped_ascent, shortest_ways

_NORMS = (Norm.LINF, Norm.L2)


def fitting(task: FitTask, params: UniversalParams) -> Fitting:
    """One of the two ways, in a ball that both know."""
    if params.norm not in _NORMS:
        message = f"attack/universal does not work in {params.norm.value}"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="its norms: linf, l2")
    return UniversalFitting(task, params)


class UniversalFitting:
    """The vector, and how many samples it fooled in the pass so far."""

    def __init__(self, task: FitTask, params: UniversalParams) -> None:
        self._task = task
        self._params = params
        self._targeted = task.target is not None

    def begin(self) -> State:
        """Nothing."""
        none = torch.zeros((), dtype=torch.float64)
        pattern = torch.zeros(self._task.signature.shape, dtype=self._task.data.x.dtype)
        return {"pattern": pattern, "fooled": none, "seen": none, "rate": none}

    def advance(self, state: State, batch: Data, number: int, rng: Draws) -> Turn:
        """One step of the vector; the rate is of how it found the samples, before the step."""
        victim, pattern = self._victim(), state["pattern"]
        own = victim.labels(batch.x)
        goal = self._task.goals(own)
        standing = ~victim.fooled(self._worn(batch.x, pattern), goal)
        step, loss = self._step(victim, batch.x, pattern, goal, standing, rng)
        moved = self._ball(pattern).project((pattern + step)[None])[0]
        rate = (~standing).double().mean()
        metrics = {
            "loss": loss,
            "reached": rate,
            "fooling_rate": rate,
            "size": self._ball(moved).distance(moved[None])[0],
        }
        return Turn({"pattern": moved} | self._counted(state, ~standing), metrics)

    def enough(self, state: State) -> bool:
        """Whether in the last whole pass the wanted share was fooled."""
        return bool(state["rate"] >= self._params.until)

    def finish(self, state: State) -> Print:
        """The vector and the ball that it lies in."""
        how = {"norm": self._params.norm.value, "epsilon": self._params.epsilon}
        return Print(kind=Kind.UNIVERSAL, pattern=state["pattern"], how=how)

    def _step(
        self, victim: Victim, x: Tensor, pattern: Tensor, goal: Tensor, standing: Tensor, rng: Draws
    ) -> tuple[Tensor, Tensor]:
        if self._params.method == "sgd":
            alpha = self._params.alpha or self._params.epsilon / 20
            return clipped_ascent(victim, x, pattern, goal, alpha=alpha, clip=self._params.clip)
        loss = victim.value(self._worn(x, pattern), goal).value.mean()
        if not bool(standing.any()):
            return torch.zeros_like(pattern), loss
        ways = shortest_ways(victim, self._worn(x[standing], pattern), goal[standing], self._params, rng.take(standing))
        return ways.sum(0), loss

    def _counted(self, state: State, fooled: Tensor) -> dict[str, Tensor]:
        """The share of the pass is known when as many samples were seen as there are."""
        hits, seen = state["fooled"] + fooled.sum(), state["seen"] + len(fooled)
        if int(seen) < len(self._task.data):
            return {"fooled": hits, "seen": seen, "rate": state["rate"]}
        none = torch.zeros_like(hits)
        return {"fooled": none, "seen": none, "rate": hits / seen}

    def _victim(self) -> Victim:
        return Victim(
            self._task.module, box=self._task.signature.box, norm=self._params.norm, epsilon=torch.inf,
            targeted=self._targeted,
        )  # fmt: skip

    def _ball(self, pattern: Tensor) -> ThreatSet:
        return ThreatSet.around(torch.zeros_like(pattern)[None], self._params.norm, self._params.epsilon)

    def _worn(self, x: Tensor, pattern: Tensor) -> Tensor:
        return into_box(x + pattern, self._task.signature.box)
