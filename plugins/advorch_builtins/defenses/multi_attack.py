"""Training on several attacks: by turns of batches, or on their average or on the worst of each sample, as Tramer and
Boneh 2019 (arXiv:1904.13000) have it."""

import torch
from torch import Tensor
from torch.nn import functional

from advorch.api import AttackRef
from advorch.kit.training.step import Step
from advorch_builtins.defenses.catalog_losses import MultiAttackParams


def loss(step: Step, params: MultiAttackParams) -> Tensor:
    """What all attacks of a step find goes through the model together; logs the loss under each of them."""
    names = names_of(params.attacks)
    turn = step.index % len(names)  # of the global batch: the same on every rank, and after a restart
    chosen = [turn] if params.combine == "cycle" else range(len(names))
    points = [step.attack(params.attacks[place], mode=params.mode) for place in chosen]
    logits = step.model(torch.cat(points)).unflatten(0, (len(points), -1))
    every = torch.stack([functional.cross_entropy(one, step.y, reduction="none") for one in logits])
    for place, own in zip(chosen, every, strict=True):
        step.log(f"loss_{names[place]}", own.mean())
    worst, hardest = every.max(0)
    step.judge(logits[hardest, torch.arange(len(hardest), device=hardest.device)])
    return worst.mean() if params.combine == "worst" else every.mean()


def names_of(attacks: tuple[AttackRef, ...]) -> list[str]:
    """Attack and norm, and the place where that is not enough to tell them apart."""
    names = [f"{attack.uses}_{attack.with_.get('norm', 'linf')}" for attack in attacks]
    return [f"{name}_{place}" if names.count(name) > 1 else name for place, name in enumerate(names, 1)]
