"""The core that every training recipe shares: one model, one objective, epochs of equal steps on every rank."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.data import Data
from advorch.kit.training.augment import augmentation
from advorch.kit.training.loss import LossModule, Objective, distributed
from advorch.kit.training.meter import Meter
from advorch.kit.training.optim import make_optimizer, rate, set_rate
from advorch.kit.training.parts import Parts, Site, restore_state, save_state
from advorch.kit.training.precision import Precision, cast, weights_dtype
from advorch.kit.training.ranks import Ranks
from advorch.kit.training.sampling import Endless, Share, share_of, steps_in_epoch, take, usual_sampler
from advorch.kit.training.step import Attacks, Step, no_attacks
from advorch.kit.training.strength import strength
from advorch.kit.training.turn import OpenTurn, Plain
from advorch.seeds import Seeds, derive
from advorch.settings import TrainingSettings

MakeParts = Callable[[Site], Parts]


def no_parts(site: Site) -> Parts:
    """The loss alone."""
    return Parts()


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
    parts: MakeParts = no_parts


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
        if self.settings.channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._attacks = recipe.attacks
        self._teacher = _standing_by(recipe.teacher, self.place.device, self.settings.precision)
        self._data = self._settle(recipe.data)
        self._unlabelled = self._endless(recipe.unlabelled) if recipe.unlabelled else None
        self._augment = augmentation(self.settings.augment, recipe.data.signature)
        self._steps = self.settings.steps or steps_in_epoch(len(recipe.data), self.settings.batch)
        self._refuse_empty_ranks(recipe)
        self.parts = recipe.parts(self._site())
        self._sampler = self.parts.sampler or usual_sampler(self.settings, len(self._data), self.seeds.stream("order"))
        self._descent = self.parts.descent or Plain()
        self.optimizer = make_optimizer(self.settings, self.model.parameters())
        self._remembered: dict[str, Tensor] = {}
        self._turn = OpenTurn(self.model, self._wrap(recipe.objective), self.optimizer)

    def _site(self) -> Site:
        return Site(
            model=self.model,
            data=self._data,
            unlabelled=self._unlabelled.data if self._unlabelled else None,
            settings=self.settings,
            seeds=self.seeds,
            ranks=self.place.ranks,
            attacks=self._attacks,
            device=self.place.device,
        )

    @property
    def samples(self) -> int:
        """How many samples an epoch sees, over all ranks."""
        return len(self._data) if self.settings.steps is None else self._steps * self.settings.batch

    def judged(self) -> nn.Module:
        """The model as it is judged and handed over: a copy with averaged, baked and finished weights, or itself."""
        if not self.parts.reshape:
            return self.model
        model = copy.deepcopy(self.model)
        if self.parts.average:
            self.parts.average.lend(model)
        for finish in (*self.parts.baking, *self.parts.finishing):
            finish(model)
        return model

    def epoch(self, number: int) -> dict[str, float]:
        """One pass over the data, or `steps` updates, counted from one; the means of what was logged."""
        ranks, meter = self.place.ranks, Meter(self.place.device)
        torch.manual_seed(derive(self.seeds.stream("epoch"), number, ranks.rank))
        self.model.train()
        for position in range(self._steps):
            share = share_of(self._sampler.batch(number, position).to(self._data.x.device), ranks)
            self._update(self._prepare(number, (number - 1) * self._steps + position, share), meter)
            if (position + 1) % _CHECK_EVERY == 0:
                meter.means(ranks)
        ranks.average_buffers(self.model)
        return meter.means(ranks)

    def watched(self, number: int) -> bool:
        """Let the watchers look at the end of an epoch; whether one of them ends the training.

        Then the epoch is undone: they put its weights back, and what followed those goes back as well.
        """
        verdicts = [watcher.watch(self.model, number) for watcher in self.parts.watchers]
        if any(verdicts) and self._remembered:
            restore_state(self.parts, self._remembered)
        self.remember()
        return any(verdicts)

    def remember(self) -> None:
        """Keep what the parts are now, where somebody may want it back."""
        if self.parts.watchers:
            self._remembered = {name: value.clone() for name, value in save_state(self.parts).items()}

    def _update(self, step: Step, meter: Meter) -> None:
        set_rate(self.optimizer, rate(self.settings, step.progress, epochs=step.epoch - 1, steps=step.index))
        self._turn.clear()
        loss = self._descent.update(step, self._turn)
        if self.parts.average:
            self.parts.average.follow(self.model, step.progress)
        if self.parts.sampler:
            self.parts.sampler.learn(step)
        meter.add({"loss": loss, **step.logged}, len(step.x) if step.weight else 0)

    def _prepare(self, epoch: int, index: int, share: Share) -> Step:
        batch = take(self._data, share.index, self.place.device)
        further, further_weight = self._further(index)
        step = Step(
            model=self.model,
            x=batch.x,
            y=batch.y,
            ids=batch.ids,
            unlabelled=further,
            unlabelled_weight=further_weight,
            epoch=epoch,
            index=index,
            progress=index / (self._steps * self.settings.epochs),
            seeds=self.seeds,
            attacks=self._attacks,
            teacher=self._teacher,
            weight=share.weight,
            box=self._data.box,
            strength=strength(self.settings, (index + 1) / (self._steps * self.settings.epochs)),
        )
        step.x = self._augment(step.x, step.draws("augment"))
        if self.settings.channels_last and step.x.dim() == 4:
            step.x = step.x.contiguous(memory_format=torch.channels_last)
        return step

    def _further(self, index: int) -> tuple[Data | None, float]:
        return self._unlabelled.at(index, self.place.ranks, self.place.device) if self._unlabelled else (None, 1.0)

    def _endless(self, data: Data) -> Endless:
        batch = self.settings.unlabelled_batch or self.settings.batch
        return Endless(self._settle(data), batch, self.seeds.stream("unlabelled"))

    def _refuse_empty_ranks(self, recipe: Recipe) -> None:
        """A rank without labelled samples in some step could not weigh its unlabelled ones."""
        rest = len(recipe.data) % self.settings.batch if self.settings.steps is None else 0
        if recipe.unlabelled and 0 < rest < self.place.ranks.size:
            message = f"the last batch of an epoch has {rest} labelled samples for {self.place.ranks.size} ranks"
            raise StageFailed(message, error_class=ErrorClass.USER, hint="set `steps`, or another `batch`")

    def _settle(self, data: Data) -> Data:
        return resident(cast(data, self.settings.precision), self.place.device)

    def _wrap(self, objective: Objective) -> nn.Module:
        module = LossModule(self.model, objective, self.parts.penalties, self.settings.precision)
        return module if self.place.ranks.size == 1 else distributed(module)


def _standing_by(teacher: nn.Module | None, device: str, precision: Precision) -> nn.Module | None:
    """A model that is asked and not trained."""
    if teacher is None:
        return None
    return teacher.to(device, weights_dtype(precision)).eval().requires_grad_(False)


_RESIDENT = 4 << 30


def resident(data: Data, device: str) -> Data:
    """The data on the device if it fits there comfortably; else batches travel."""
    return data.to(device) if data.x.nbytes <= _RESIDENT else data
