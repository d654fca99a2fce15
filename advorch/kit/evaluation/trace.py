"""What a model said while it was attacked: any attack, step by step, without a word from the attack itself."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from advorch.kit.attack.verdict import judged_logits
from advorch.kit.attack.victim import Finish
from advorch.kit.data import Data
from advorch.kit.evaluation.attackers import Attacker
from advorch.kit.evaluation.subject import SubjectModel


class Listener(nn.Module):
    """The model itself, taking down what it says, and of each pass whether a gradient was wanted."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.said: list[tuple[bool, Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.module(x)
        self.said.append((torch.is_grad_enabled() and x.requires_grad, logits.detach()))
        return logits

    def steps(self) -> list[Tensor]:
        """What it said where a gradient was taken, a step each; for an attack that takes none, at every pass."""
        steps = [logits for wanted, logits in self.said if wanted]
        return steps or [logits for _, logits in self.said]


def trace(attacker: Attacker, model: SubjectModel, batch: Data, goals: Tensor, length: int) -> Tensor:
    """The logits of each sample after 0, 1, 2, ... `length` steps: (samples, length + 1, classes).

    All steps are gone, fooled or not. Whoever is through before stays where it ended; who goes on is cut off. An attack
    that does not walk with all samples in step is followed sample by sample.
    """
    steps, z = _listen(attacker, model, batch, goals)
    if any(len(logits) != len(batch) for logits in steps):
        return torch.cat([_alone(attacker, model, batch, goals, row, length) for row in range(len(batch))])
    return _lasting([*steps, judged_logits(model.module, z)], length)


def _alone(attacker: Attacker, model: SubjectModel, batch: Data, goals: Tensor, row: int, length: int) -> Tensor:
    """One sample, whose passes of several rows are so many looks."""
    index = slice(row, row + 1)
    steps, z = _listen(attacker, model, batch.take(index), goals[index])
    looks = [look[None] for logits in steps for look in logits]
    return _lasting([*looks, judged_logits(model.module, z)], length)


def _listen(attacker: Attacker, model: SubjectModel, batch: Data, goals: Tensor) -> tuple[list[Tensor], Tensor]:
    listener = Listener(model.module)
    listening = replace(model, module=listener.eval())
    z = attacker.perturb(listening, batch, goals, finish=Finish.LAST)
    return listener.steps(), z


def _lasting(steps: list[Tensor], length: int) -> Tensor:
    kept = steps[: length + 1]
    return torch.stack([*kept, *[kept[-1]] * (length + 1 - len(kept))], dim=1).float()
