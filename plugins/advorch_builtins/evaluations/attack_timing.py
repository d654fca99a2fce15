"""How long an attack takes: run again, here and now, on some of the samples that it was made for."""

import time
from collections.abc import Callable
from typing import Any

import torch

from advorch.api import Attack
from advorch.kit.data import Data
from advorch.kit.evaluation.attackers import Attacker
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.bouts import Bout


def seconds_of(subject: Subject, bout: Bout, samples: int, together: int) -> float | None:
    """A sample's share of a batch: CPU time of this process, on a GPU what the clock says; None where it cannot be.

    Samples are the first that the model gets right. One batch is run beforehand and not counted.
    """
    attacker, chosen = attacker_of(subject, bout), bout.tried.nonzero().squeeze(1)[:samples]
    if attacker is None or not len(chosen):
        return None
    data = subject.data.take(chosen).to(subject.device)
    batches = [data.take(slice(start, start + together)) for start in range(0, len(data), together)]

    def run(batch: Data) -> None:
        attacker.perturb(bout.model, batch, attacker.goals(batch))

    run(batches[0])
    return sum(_clocked(run, batch, subject.device) for batch in batches) / len(data)


def attacker_of(subject: Subject, bout: Bout) -> Attacker | None:
    """The attack with the settings that it ran with; None if it had more inputs than model and data."""
    component: Any = subject.lookup(bout.duel.set.samples.attack)
    if not isinstance(component, Attack) or set(component.inputs()) != {"model", "data"}:
        return None
    settings: Any = component.schema().parse(bout.duel.set.samples.settings)
    return Attacker(attack=component, params=settings, box=subject.data.box, seed=subject.seed)


def _clocked(run: Callable[[Data], None], batch: Data, device: str) -> float:
    if not device.startswith("cuda"):
        before = time.process_time()
        run(batch)
        return time.process_time() - before
    torch.cuda.synchronize()
    start = time.perf_counter()
    run(batch)
    torch.cuda.synchronize()
    return time.perf_counter() - start
