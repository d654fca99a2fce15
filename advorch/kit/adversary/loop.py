"""The game loop: every step is one pass over the schedule, and every turn draws a fresh minibatch."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.adversary.draws import Draws
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


def play(
    match: Match, data: Data, rules: Rules, report: Report, gang: Gang | None = None, labelled: Data | None = None
) -> dict[str, float]:
    """Play to the end from wherever the match stands and return the last losses; `report(step, losses, keep)` listens.

    Random numbers are a function of (seed, rank, step): a resumed match draws what the undisturbed one drew.
    """
    gang = gang or Gang()
    _check_batch(rules.batch, gang.size)
    table = Table(match, data, rules, gang, labelled)
    window, losses = Window(), {}
    gang.copy_first(match.tensors())
    with torch.random.fork_rng(devices=_forked(match.device)):
        while match.step < rules.steps:
            window.add(table.step())
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


class Table:
    """Where a match is played: the data on the device, its order, and the random numbers of the step."""

    def __init__(self, match: Match, data: Data, rules: Rules, gang: Gang, labelled: Data | None = None) -> None:
        self._match, self._rules, self._gang = match, rules, gang
        self._data = data.to(match.device)
        self._batches = Minibatches(len(data), rules.batch, derive(rules.seed, "minibatches"))
        self._labelled = Shelf(labelled.to(match.device), rules, gang.size) if labelled else None
        self._own, self._common = torch.Generator(match.device), torch.Generator(match.device)
        self._draws = Draws(self._common, gang)
        self._checked = False

    def step(self) -> dict[str, Tensor]:
        """One pass over the schedule; the first that is played here is checked on every rank."""
        match, losses = self._match, {}
        self._seed(match.step)
        share = match.step / self._rules.steps
        match.begin(match.step, self._rules.steps)
        for name in match.game.turns(match.step):
            losses[name] = self._move(name, self._turn(share))
        if match.ema:
            match.ema.update()
        match.step += 1
        self._checked = True
        return losses

    def _seed(self, step: int) -> None:
        own = derive(self._rules.seed, "turns", self._gang.rank, step)
        self._own.manual_seed(own)
        self._common.manual_seed(derive(self._rules.seed, "draws", step))
        torch.manual_seed(own)  # dropout and its like draw from the global generator

    def _turn(self, share: float) -> Turn:
        match, data = self._match, self._data
        index = self._gang.share(self._batches.at(match.drawn)).to(match.device)
        match.drawn += 1
        x, y = data.x[index], data.y[index]
        known = self._labelled.at(match.drawn, self._gang) if self._labelled else None
        return Turn(x=x, y=y, rng=self._own, draws=self._draws, step=match.step, share=share, labelled=known)

    def _move(self, name: str, turn: Turn) -> Tensor:
        match, gang = self._match, self._gang
        player, parameters, optimizer = match.game.player(name), match.parameters[name], match.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        with match.turn_of(name):
            loss = player.loss(turn)
            loss.backward()  # type: ignore[no-untyped-call]
        if not self._checked:
            gang.check_layout(parameters)
        gang.average(parameters)
        if not self._checked:
            gang.check_gradients(parameters)
        optimizer.step()
        if player.settle:
            player.settle()
        return loss.detach()


class Shelf:
    """Labelled samples in an order of their own; a minibatch is as large as the game's, or all of them."""

    def __init__(self, data: Data, rules: Rules, ranks: int) -> None:
        self._data = data
        size = rules.batch if len(data) >= rules.batch else len(data) // ranks * ranks or ranks
        self._batches = Minibatches(len(data), size, derive(rules.seed, "labelled"))

    def at(self, position: int, gang: Gang) -> tuple[Tensor, Tensor]:
        """This rank's share of one of them."""
        index = gang.share(self._batches.at(position)).to(self._data.x.device)
        return self._data.x[index], self._data.y[index]


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
