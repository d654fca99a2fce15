"""The loop that fits one perturbation to many samples: minibatch after minibatch, resumable between any two."""

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeAlias

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from advorch.artifacts import Signature, check_format
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.adversary.minibatches import Minibatches
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.traceless import untouched
from advorch.kit.codecs import write_json
from advorch.kit.data import Data
from advorch.kit.perturbation.fitted import Print
from advorch.seeds import Seeds, derive

State: TypeAlias = Mapping[str, Tensor]
"""Everything that a fit remembers from one minibatch to the next."""

FORMAT: Final = "fitting/1"
_STATE, _FACTS = "state.safetensors", "fitting.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FitTask:
    """Whom a perturbation is fitted against, on which samples, and what it is to make of them."""

    module: nn.Module
    data: Data
    steps: int
    target: int | None
    source: int | None
    seeds: Seeds
    device: str

    @property
    def signature(self) -> Signature:
        """Of the samples."""
        return self.data.signature

    def goals(self, y: Tensor) -> Tensor:
        """What to climb towards, or away from: the target for all, or each sample's own label."""
        return y if self.target is None else torch.full_like(y, self.target)


class Turn(NamedTuple):
    """What a minibatch did."""

    state: State
    metrics: Mapping[str, Tensor]


class Fitting(Protocol):
    """One way to fit; all of its memory is in the state, all of its randomness in the draws."""

    def begin(self) -> State:
        """Before the first minibatch."""

    def advance(self, state: State, batch: Data, number: int, rng: Draws) -> Turn:
        """After one more."""

    def enough(self, state: State) -> bool:
        """Whether further minibatches would be wasted."""

    def finish(self, state: State) -> Print:
        """What the state amounts to."""


class Reporter(Protocol):
    """The part of a stage's context that a fit needs."""

    scratch: Path

    def report(self, metrics: Mapping[str, float], *, step: int, checkpoint: Path | None = None) -> None:
        """Tell metrics; commit the checkpoint."""

    def resume(self) -> Path | None:
        """The newest committed checkpoint."""


def fit(
    fitting: Fitting, task: FitTask, reporter: Reporter, *, batch: int, checkpoint_every: int
) -> tuple[Print, dict[str, float]]:
    """From wherever the last checkpoint left off to the end; the model is as before."""
    seed = task.seeds.stream("fit")
    passes = Minibatches(len(task.data), batch, derive(seed, "order"))
    with untouched(task.module, seed=derive(seed, "module")):
        state, step, metrics = _resumed(fitting, task, reporter.resume())
        while step < task.steps and not fitting.enough(state):
            rows = task.data.take(passes.at(step)).to(task.device)
            # What a model draws is of the step, so that a resumed fit draws the same.
            torch.manual_seed(derive(seed, "module", step))
            # By place in the minibatch, not by id: where a pass ends within one, a sample may be in it twice.
            places = torch.arange(len(rows), device=rows.ids.device)
            state, seen = fitting.advance(state, rows, step, Draws(derive(seed, "step", step), places))
            step += 1
            if step % checkpoint_every == 0 or step == task.steps or fitting.enough(state):
                metrics = _finite({name: float(value) for name, value in seen.items()}, step)
                _tell(reporter, state, step, metrics)
        return fitting.finish(state), metrics


def _tell(reporter: Reporter, state: State, step: int, metrics: Mapping[str, float]) -> None:
    folder = reporter.scratch / f"checkpoint-{step:08d}"
    save(folder, state, step, metrics)
    reporter.report(metrics, step=step, checkpoint=folder)
    shutil.rmtree(folder, ignore_errors=True)


def save(folder: Path, state: State, step: int, metrics: Mapping[str, float]) -> None:
    """A fit between two minibatches."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: part.detach().to("cpu", copy=True).contiguous() for name, part in state.items()}, folder / _STATE)
    write_json(folder / _FACTS, {"format": FORMAT, "step": step, "metrics": dict(metrics)})


def load(folder: Path, device: str) -> tuple[State, int, dict[str, float]]:
    """Read back what `save` wrote."""
    facts = json.loads((folder / _FACTS).read_text())
    check_format(facts["format"], "fitting")
    return load_file(folder / _STATE, device=device), facts["step"], facts["metrics"]


def _resumed(fitting: Fitting, task: FitTask, folder: Path | None) -> tuple[State, int, dict[str, float]]:
    if folder is not None:
        return load(folder, task.device)
    return {name: part.to(task.device) for name, part in fitting.begin().items()}, 0, {}


def _finite(metrics: dict[str, float], step: int) -> dict[str, float]:
    broken = [name for name, value in metrics.items() if not math.isfinite(value)]
    if broken:
        message = f"{', '.join(broken)} is not finite at step {step}"
        raise StageFailed(message, error_class=ErrorClass.NAN, hint="is the model's gradient finite? lower `lr`")
    return metrics
