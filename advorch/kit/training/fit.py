"""Epochs from wherever the last checkpoint left off to the end, reported one by one."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch

from advorch.kit.training import checkpoint
from advorch.kit.training.selection import Selection
from advorch.kit.training.trainer import Trainer
from advorch.kit.training.validation import Validator


class Reporter(Protocol):
    """The part of a stage's context that a training run needs."""

    scratch: Path

    def report(self, metrics: Mapping[str, float], *, step: int, checkpoint: Path | None = None) -> None:
        """Tell an epoch's metrics; commit the checkpoint."""

    def resume(self) -> Path | None:
        """The newest committed checkpoint."""


def fit(trainer: Trainer, selection: Selection, reporter: Reporter, validator: Validator | None = None) -> None:
    """Train until the epochs or the patience are spent; `selection` then knows what to keep."""
    if folder := reporter.resume():
        checkpoint.load(folder, trainer, selection)
    while selection.epoch < trainer.settings.epochs and not selection.spent:
        speed = _train(trainer, selection, validator)
        _tell(trainer, selection, reporter, selection.metrics | {"images_per_second": speed})


def _train(trainer: Trainer, selection: Selection, validator: Validator | None) -> float:
    """One epoch and its validation, which leave the global random state as it was; the samples a second."""
    place = trainer.place
    gpus = [torch.device(place.device)] if place.device.startswith("cuda") else []
    with torch.random.fork_rng(devices=gpus):
        started = time.perf_counter()
        metrics = trainer.epoch(selection.epoch + 1)
        speed = trainer.samples / (time.perf_counter() - started)
        ended = trainer.watched(selection.epoch + 1)
        looked_at = validator is not None or selection.keep != "last"
        judged = trainer.judged() if looked_at else trainer.model
        if validator:
            metrics |= validator.measure(judged, place.ranks)
    selection.note(selection.epoch + 1, metrics, judged)
    selection.ended = ended
    return speed


def _tell(trainer: Trainer, selection: Selection, reporter: Reporter, metrics: Mapping[str, float]) -> None:
    """Report the epoch, with a checkpoint when one is due: every rank names its folder, rank 0 writes it."""
    last = selection.epoch == trainer.settings.epochs or selection.spent
    if not last and selection.epoch % trainer.settings.checkpoint_every:
        reporter.report(metrics, step=selection.epoch)
        return
    folder = reporter.scratch / f"checkpoint-{selection.epoch:06d}"
    if trainer.place.ranks.rank == 0:
        checkpoint.save(folder, trainer, selection)
    reporter.report(metrics, step=selection.epoch, checkpoint=folder)
    shutil.rmtree(folder, ignore_errors=True)
