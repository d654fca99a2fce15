"""Steps that need no tuning: the schedule of APGD.

Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks",
ICML 2020; in l1, "Mind the box", ICML 2021. At checkpoints that come closer and closer, a sample whose loss rose in
less than three quarters of the steps, or whose best has stood still since a checkpoint that left its step as it was,
goes on from its best point with half the step. In l1 the checkpoint sets how many numbers a step may move.
"""

from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from advorch.kit.attack.recipe import Advance
from advorch.kit.attack.rows import per_sample, size, total
from advorch.kit.attack.step import Direction, Memory, Schedule, Step

_MOMENTUM: Final = 0.75
_RISING: Final = 0.75  # rho of the paper
_SPARSER: Final = 0.95  # of the numbers that moved at the checkpoint before
_SPREAD: Final = 1.5
_FIRST_SHARE: Final = 0.2


def checkpoints(steps: int) -> list[int]:
    """After how many steps to look: 0.22 of them, then shorter by 0.03 each time, down to 0.06."""
    span, shorter, shortest = (max(int(share * steps), 1) for share in (0.22, 0.03, 0.06))
    found = [span]
    while found[-1] < steps:
        span = max(span - shorter, shortest)
        found.append(found[-1] + span)
    return found


def auto_steps(steps: int) -> Advance:
    """For linf and l2: from the schedule's length on, halved where it does not pay."""
    looks = checkpoints(steps)
    spans = {look: look - before for look, before in zip(looks, [0, *looks], strict=False)}

    def advance(step: Step, direction: Direction, schedule: Schedule) -> Tensor:
        memory = step.memory
        if step.number == 0:
            _begin(memory, step, schedule)
            memory["rises"] = torch.zeros_like(step.value)
            memory["halved"] = torch.ones_like(step.value, dtype=torch.bool)
            memory["checked"] = step.value
        _note(memory, step)
        if step.number in spans:
            step = _from_best(step, _halve(memory, spans[step.number]))
        return _move(step, direction, memory["alpha"])

    return advance


def sparse_auto_steps(steps: int) -> Advance:
    """For l1: epsilon where the perturbation has become sparser, else a step cut by 1.5, down to a tenth of epsilon."""
    span = max(int(0.04 * steps), 1)

    def advance(step: Step, direction: Direction, schedule: Schedule) -> Tensor:
        memory = step.memory
        if step.number == 0:
            _begin(memory, step, schedule)
            memory["longest"] = memory["alpha"]
            memory["moved"] = total(step.z != step.ball.x).to(step.value)
            share = memory["moved"] / size(step.z) / _SPREAD
            memory["share"] = torch.where(memory["moved"] > 0, share, _FIRST_SHARE)
        _note(memory, step)
        if step.number and step.number % span == 0:
            step = _from_best(step, _resize(memory, step))
        return _ahead(step, direction, memory["alpha"])

    return advance


def adaptive_l1(step: Step) -> Tensor:
    """The signs of the strongest numbers that can move, as many as the memory says, one at least."""
    pull = torch.where(step.ball.movable(step.z, step.gradient), step.gradient, 0)
    strength = pull.flatten(1).abs()
    passed_over = ((1 - step.memory["share"]) * strength.shape[1]).long().clamp(0, strength.shape[1] - 1)
    count = strength.shape[1] - passed_over
    weakest = strength.sort(dim=1, descending=True).values.gather(1, count[:, None] - 1)
    signs = torch.where(strength >= weakest, pull.flatten(1).sign(), 0)
    return (signs / signs.abs().sum(1, keepdim=True).clamp(min=1)).view_as(pull)


def _begin(memory: Memory, step: Step, schedule: Schedule) -> None:
    memory["alpha"], memory["before"] = schedule(step), step.z
    memory["value"] = memory["best_value"] = step.value
    memory["best"], memory["best_gradient"] = step.z, step.gradient


def _note(memory: Memory, step: Step) -> None:
    """Whether the loss has risen, and where it has been highest."""
    if "rises" in memory:
        memory["rises"] = memory["rises"] + (step.value > memory["value"])
    memory["value"] = step.value
    better = step.value > memory["best_value"]
    memory["best_value"] = torch.where(better, step.value, memory["best_value"])
    memory["best"] = torch.where(per_sample(better, step.z), step.z, memory["best"])
    memory["best_gradient"] = torch.where(per_sample(better, step.z), step.gradient, memory["best_gradient"])


def _halve(memory: Memory, span: int) -> Tensor:
    """Who takes half a step from now on: too few rises, or a best that stands still and a step that was not halved."""
    still = ~memory["halved"] & (memory["checked"] >= memory["best_value"])
    halved = (memory["rises"] <= _RISING * span) | still
    memory["alpha"] = torch.where(halved, memory["alpha"] / 2, memory["alpha"])
    memory["rises"] = torch.zeros_like(memory["rises"])
    memory["halved"], memory["checked"] = halved, memory["best_value"]
    return halved


def _resize(memory: Memory, step: Step) -> Tensor:
    """Who has become sparser, and goes on from its best with a whole step."""
    moved = total(memory["best"] != step.ball.x).to(memory["moved"])
    sparser = moved / memory["moved"] < _SPARSER
    shorter = torch.maximum(memory["alpha"] / _SPREAD, memory["longest"] / 10)
    memory["alpha"] = torch.where(sparser, memory["longest"], shorter)
    memory["share"] = moved / size(step.z) / _SPREAD
    memory["moved"] = moved
    return sparser


def _from_best(step: Step, who: Tensor) -> Step:
    chosen = per_sample(who, step.z)
    return replace(
        step,
        z=torch.where(chosen, step.memory["best"], step.z),
        gradient=torch.where(chosen, step.memory["best_gradient"], step.gradient),
    )


def _move(step: Step, direction: Direction, alpha: Tensor) -> Tensor:
    """Three quarters of a projected step, and a quarter of the move before it; the first step is whole."""
    ahead = _ahead(step, direction, alpha)
    before, step.memory["before"] = step.memory["before"], step.z
    if not step.number:
        return ahead
    return step.ball.project(step.z + (ahead - step.z) * _MOMENTUM + (step.z - before) * (1 - _MOMENTUM))


def _ahead(step: Step, direction: Direction, alpha: Tensor) -> Tensor:
    return step.ball.project(step.z + direction(step) * per_sample(alpha, step.z))
