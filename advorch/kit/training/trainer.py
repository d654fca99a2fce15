"""The core that every training recipe shares: one model, one objective, epochs of equal steps on every rank."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.data import Data
from advorch.kit.training.augment import augmentation
from advorch.kit.training.meter import Meter
from advorch.kit.training.optim import make_optimizer, rate, set_rate
from advorch.kit.training.precision import Precision, cast, computing, weights_dtype
from advorch.kit.training.ranks import Ranks
from advorch.kit.training.sampling import Endless, Share, order, shares, steps_in_epoch, take
from advorch.kit.training.step import Attacks, Step, no_attacks
from advorch.seeds import Seeds, derive
from advorch.settings import TrainingSettings

Objective = Callable[[Step], Tensor]

_CHECK_EVERY = 100  # steps between looks at whether the loss is finite: each makes the device wait


@dataclass(frozen=True, slots=True)
class Place:
    """Where a trainer runs."""

    device: str = "cpu"
    ranks: Ranks = Ranks()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is trained, on what, by which loss."""

    model: nn.Module
    objective: Objective
    data: Data
    settings: TrainingSettings
    seeds: Seeds
    attacks: Attacks = no_attacks
    unlabelled: Data | None = None
    teacher: nn.Module | None = None


class LossModule(nn.Module):
    """The one module whose one forward pass a step makes; an objective may attack and call the model inside it."""

    def __init__(self, model: nn.Module, objective: Objective, precision: Precision, device: str) -> None:
        super().__init__()
        self.model = model
        self._objective = objective
        self._precision = precision
        self._device = device

    def forward(self, step: Step) -> Tensor:
        with computing(self._precision, self._device):
            loss = self._objective(step)
        if loss.ndim or not loss.requires_grad:
            message = f"the objective returned shape {tuple(loss.shape)}, requires_grad {loss.requires_grad}"
            hint = "return one number, the mean over the step's samples, that depends on `step.model`"
            raise StageFailed(message, error_class=ErrorClass.USER, hint=hint)
        return loss * step.weight


class Trainer:
    """Trains a model in place, an epoch at a time.

    The global batch is `settings.batch` however many ranks share it, every random number belongs to a sample or to
    (seed, epoch, rank), and each rank's loss counts by its samples: a gang computes what one process does, but for
    batch statistics and dropout, which each rank has of its own part.
    """

    def __init__(self, recipe: Recipe, place: Place | None = None) -> None:
        self.place = place or Place()
        self.settings = recipe.settings
        self.seeds = recipe.seeds
        self.model = recipe.model.to(self.place.device, weights_dtype(self.settings.precision))
        self.optimizer = make_optimizer(self.settings, self.model.parameters())
        self._attacks = recipe.attacks
        self._teacher = _standing_by(recipe.teacher, self.place.device, self.settings.precision)
        self._data = self._settle(recipe.data)
        self._unlabelled = self._endless(recipe.unlabelled) if recipe.unlabelled else None
        self._augment = augmentation(self.settings.augment, recipe.data.signature)
        self._loss = self._wrap(recipe.objective)
        self._steps = steps_in_epoch(len(recipe.data), self.settings.batch)

    @property
    def samples(self) -> int:
        """How many samples an epoch sees, over all ranks."""
        return len(self._data)

    def epoch(self, number: int) -> dict[str, float]:
        """One pass over the data, counted from one; the means of what was logged."""
        ranks, meter = self.place.ranks, Meter(self.place.device)
        torch.manual_seed(derive(self.seeds.stream("epoch"), number, ranks.rank))
        self.model.train()
        permutation = order(self.seeds.stream("order"), number, len(self._data)).to(self._data.x.device)
        for position, share in enumerate(shares(permutation, self.settings.batch, ranks)):
            step = self._prepare(number, (number - 1) * self._steps + position, share)
            self._update(step, meter)
            if (position + 1) % _CHECK_EVERY == 0:
                meter.means(ranks)
        ranks.average_buffers(self.model)
        return meter.means(ranks)

    def _update(self, step: Step, meter: Meter) -> None:
        set_rate(self.optimizer, rate(self.settings, step.progress))
        self.optimizer.zero_grad(set_to_none=True)
        loss: Tensor = self._loss(step)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        counted = len(step.x) if step.weight else 0
        own = loss.detach() / step.weight if step.weight else 0.0
        meter.add({"loss": own, **step.logged}, counted)

    def _prepare(self, epoch: int, index: int, share: Share) -> Step:
        batch = take(self._data, share.index, self.place.device)
        step = Step(
            model=self.model,
            x=batch.x,
            y=batch.y,
            ids=batch.ids,
            unlabelled=self._further(index),
            epoch=epoch,
            index=index,
            progress=index / (self._steps * self.settings.epochs),
            seeds=self.seeds,
            attacks=self._attacks,
            teacher=self._teacher,
            weight=share.weight,
            box=self._data.box,
        )
        step.x = self._augment(step.x, step.draws("augment"))
        return step

    def _further(self, index: int) -> Data | None:
        return self._unlabelled.at(index, self.place.ranks, self.place.device) if self._unlabelled else None

    def _endless(self, data: Data) -> Endless:
        return Endless(self._settle(data), self.settings.batch, self.seeds.stream("unlabelled"))

    def _settle(self, data: Data) -> Data:
        return resident(cast(data, self.settings.precision), self.place.device)

    def _wrap(self, objective: Objective) -> nn.Module:
        module = LossModule(self.model, objective, self.settings.precision, self.place.device)
        return module if self.place.ranks.size == 1 else distributed(module)


def _standing_by(teacher: nn.Module | None, device: str, precision: Precision) -> nn.Module | None:
    """A model that is asked and not trained."""
    if teacher is None:
        return None
    return teacher.to(device, weights_dtype(precision)).eval().requires_grad_(False)


def distributed(module: nn.Module) -> DistributedDataParallel:
    """The module with averaged gradients; running statistics are averaged once an epoch, not at every forward pass."""
    known = signature(DistributedDataParallel.__init__).parameters
    switch = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # renamed in torch 2.13
    options: dict[str, Any] = {switch: False}
    return DistributedDataParallel(module, **options)


_RESIDENT = 4 << 30


def resident(data: Data, device: str) -> Data:
    """The data on the device if it fits there comfortably; else batches travel."""
    return data.to(device) if data.x.nbytes <= _RESIDENT else data
