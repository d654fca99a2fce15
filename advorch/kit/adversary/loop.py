"""The game loop: every step is one pass over the schedule, and every turn draws a fresh minibatch."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.adversary.game import Turn
from advorch.kit.adversary.gang import Gang
from advorch.kit.adversary.match import Match
from advorch.kit.adversary.minibatches import Minibatches
from advorch.kit.data import Data
from advorch.seeds import derive

Report = Callable[[int, Mapping[str, float], bool], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How long to play, on what batches, and when to tell; `batch` is that of all ranks together."""

    steps: int
    batch: int
    seed: int
    report_every: int = 50
    checkpoint_every: int = 200

    def checkpoint_due(self, step: int) -> bool:
        """Whether the state after this step is worth keeping."""
        return step % self.checkpoint_every == 0 and step < self.steps

    def report_due(self, step: int) -> bool:
        """Whether losses are told after this step."""
        return step % self.report_every == 0 or step == self.steps or self.checkpoint_due(step)


def play(match: Match, data: Data, rules: Rules, report: Report, gang: Gang | None = None) -> dict[str, float]:
    """Play to the end from wherever the match stands and return the last losses; `report(step, losses, keep)` listens.

    Random numbers are a function of (seed, rank, step): a resumed match draws what the undisturbed one drew.
    """
    gang = gang or Gang()
    _check_batch(rules.batch, gang.size)
    data = data.to(match.device)
    batches = Minibatches(len(data), rules.batch, derive(rules.seed, "minibatches"))
    rng, window, losses = torch.Generator(match.device), Window(), {}
    gang.copy_first(match.tensors())
    with torch.random.fork_rng(devices=_forked(match.device)):
        checked = False
        while match.step < rules.steps:
            _seed(rng, derive(rules.seed, "turns", gang.rank, match.step))
            window.add(_step(match, data, batches, rng, gang, check=not checked))
            checked = True
            if rules.report_due(match.step):
                gang.copy_first(match.buffers())
                losses = window.close(gang, match.step)
                report(match.step, losses, rules.checkpoint_due(match.step))
    return losses


def _check_batch(batch: int, size: int) -> None:
    """A mean over ranks is the mean over the batch only where the shares are equal."""
    if batch % size:
        raise StageFailed(
            f"a batch of {batch} does not divide among {size} workers",
            error_class=ErrorClass.USER,
            hint=f"set batch to a multiple of {size}",
        )


def _forked(device: str) -> list[int]:
    return [torch.cuda.current_device()] if torch.device(device).type == "cuda" else []


def _seed(rng: torch.Generator, seed: int) -> None:
    rng.manual_seed(seed)
    torch.manual_seed(seed)  # dropout and its like draw from the global generator


def _step(
    match: Match, data: Data, batches: Minibatches, rng: torch.Generator, gang: Gang, *, check: bool
) -> dict[str, Tensor]:
    losses = {}
    for name in match.game.schedule:
        index = gang.share(batches.at(match.drawn)).to(match.device)
        match.drawn += 1
        losses[name] = _move(match, name, Turn(x=data.x[index], y=data.y[index], rng=rng, step=match.step), gang, check)
    if match.ema:
        match.ema.update()
    match.step += 1
    return losses


def _move(match: Match, name: str, turn: Turn, gang: Gang, check: bool) -> Tensor:
    parameters, optimizer = match.parameters[name], match.optimizers[name]
    optimizer.zero_grad(set_to_none=True)
    with match.turn_of(name):
        loss = match.game.player(name).loss(turn)
        loss.backward()  # type: ignore[no-untyped-call]
    if check:
        gang.check_layout(parameters)
    gang.average(parameters)
    if check:
        gang.check_gradients(parameters)
    optimizer.step()
    return loss.detach()


class Window:
    """Mean losses since the last report, summed on the device: the loop waits for it only when it reports."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Take in one step."""
        self._sums = {name: self._sums.get(name, 0.0) + loss.double() for name, loss in losses.items()}
        self._count += 1

    def close(self, gang: Gang, step: int) -> dict[str, float]:
        """The means over steps and ranks; a sum that is not finite ends the game on every rank."""
        means = gang.mean(torch.stack(list(self._sums.values())) / self._count).tolist()
        losses = {f"{name}_loss": value for name, value in zip(self._sums, means, strict=True)}
        broken = [name for name, value in losses.items() if not math.isfinite(value)]
        if broken:
            raise StageFailed(
                f"{', '.join(broken)} is not finite at step {step}",
                error_class=ErrorClass.NAN,
                hint="lower the learning rates, or add a gradient penalty",
            )
        self._sums, self._count = {}, 0
        return losses
