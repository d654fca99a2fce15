"""What a fitted perturbation promises: the same however often it is interrupted, legal, and better than nothing."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from advorch.components import AnyComponent, Perturbation
from advorch.errors import StageFailed, Stopped
from advorch.kit.attack.draws import Draws
from advorch.kit.data import Data
from advorch.kit.perturbation.applying import apply
from advorch.kit.perturbation.fitted import Kind, Print
from advorch.kit.perturbation.fitting import FitTask, fit
from advorch.seeds import Seeds
from advorch.testing.arena import disturbed, snapshot
from advorch.testing.check import Check, ContractBroken, demand
from advorch.testing.common import small_params, unfit
from advorch.testing.fakes import FakeContext, learnable_data, small_conv, small_mlp
from advorch.threat import Goal

STEPS, BATCH = 6, 8


@dataclass(frozen=True, slots=True)
class Fit:
    """A task that the perturbation takes, what was fitted, and what the fit told last."""

    task: FitTask
    printed: Print
    told: dict[str, float]


class Workshop:
    """A perturbation before the tasks that it takes; each is fitted once, and looked at by every check."""

    def __init__(self, component: Perturbation[Any]) -> None:
        self.component = component

    @cached_property
    def fits(self) -> list[Fit]:
        """Every task, fitted in one go."""
        return [Fit(task, *_fitted(self.component, task)) for task in tasks(self.component)]


def checks(component: AnyComponent) -> list[Check]:
    """The promises of a fit, on vectors and images, less what it refuses."""
    assert isinstance(component, Perturbation)
    tests: list[Callable[[Workshop], None]] = [
        is_the_same_twice, is_the_same_after_an_interruption, leaves_the_model_as_it_was, obeys_the_box_and_is_finite,
        declares_its_metrics, says_how_it_is_applied,
    ]  # fmt: skip
    workshop = Workshop(component)
    return [Check(test.__name__.replace("_", " "), partial(test, workshop)) for test in tests]


def is_the_same_twice(workshop: Workshop) -> None:
    """Whatever the global random state."""
    for done in workshop.fits:
        again, _ = _fitted(workshop.component, done.task, fresh=1)
        demand(_equal(done.printed, again), "two fits of one seed differ")


def is_the_same_after_an_interruption(workshop: Workshop) -> None:
    """Bit for bit, wherever it was stopped."""
    for done in workshop.fits:
        for stop in (1, 4):
            resumed = _interrupted(workshop.component, done.task, stop)
            demand(_equal(done.printed, resumed), f"stopped at step {stop}, it goes on differently")


def leaves_the_model_as_it_was(workshop: Workshop) -> None:
    for task in (done.task for done in workshop.fits):
        module = disturbed(task.module)
        before = snapshot(module)
        _fitted(workshop.component, replace(task, module=module), fresh=None)
        demand(before == snapshot(module), "the model or the random state has changed")


def obeys_the_box_and_is_finite(workshop: Workshop) -> None:
    for done in workshop.fits:
        printed, data = done.printed, done.task.data
        demand(torch.isfinite(printed.pattern).all(), "not every number is finite")
        if printed.kind is not Kind.TEXTURE:
            z = apply(printed, data.x, Draws(0, data.ids), data.box)
            demand(bool((z >= 0).all() and (z <= 1).all()), "samples leave the box")
            demand(z.shape == data.x.shape, f"samples come back in shape {tuple(z.shape)}")
        if printed.kind is not Kind.UNIVERSAL:
            demand(bool((printed.pattern >= 0).all() and (printed.pattern <= 1).all()), "it cannot be printed")


def declares_its_metrics(workshop: Workshop) -> None:
    for found in (set(done.told) for done in workshop.fits):
        undeclared = sorted(found - workshop.component.metrics)
        demand(not undeclared, f"tells {undeclared} without declaring it")
        demand({"loss", "reached"} <= found, "does not tell its loss and the share that it has reached")


def says_how_it_is_applied(workshop: Workshop) -> None:
    """Whoever reads it knows no more than this."""
    for printed in (done.printed for done in workshop.fits):
        wanted = {Kind.UNIVERSAL: {"norm", "epsilon"}, Kind.PATCH: {"placing"}}.get(printed.kind, {"scene"})
        demand(wanted <= set(printed.how), f"`how` of a {printed.kind.value} must say {', '.join(sorted(wanted))}")
        demand((printed.mask is None) == (printed.kind in (Kind.UNIVERSAL, Kind.TEXTURE)), "a mask is missing, or idle")
        demand(
            (printed.original is not None) == (printed.kind is Kind.TEXTURE), "a texture has an original, others none"
        )


def tasks(component: Perturbation[Any]) -> Iterator[FitTask]:
    """Vectors, grey and coloured images, with every goal that is declared."""
    reason, taken = "", 0
    for shape in ((12,), (1, 8, 8), (3, 8, 8)):
        for goal in sorted(component.goals):
            task = _task(shape, 1 if goal is Goal.TARGETED else None)
            try:
                _params_and_fitting(component, task)
            except StageFailed as refusal:
                if not unfit(refusal):
                    raise
                reason = refusal.message
            else:
                taken += 1
                yield task
    if not taken:
        raise ContractBroken(f"refuses vectors and images: {reason}")


def _task(shape: tuple[int, ...], target: int | None) -> FitTask:
    data: Data = learnable_data(24, shape, 3)
    module: nn.Module = small_conv(shape[0], shape[1], 3) if len(shape) > 1 else small_mlp(shape[0], 3)
    return FitTask(
        module=module.eval(), data=data, steps=STEPS, target=target, source=None, seeds=Seeds(0), device="cpu"
    )


def _params_and_fitting(component: Perturbation[Any], task: FitTask) -> Any:
    return component.load()(task, small_params(component))


def _fitted(component: Perturbation[Any], task: FitTask, fresh: int | None = 0) -> tuple[Print, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        return _run(component, task, FakeContext(scratch=Path(folder)), fresh)


def _interrupted(component: Perturbation[Any], task: FitTask, stop: int) -> Print:
    with tempfile.TemporaryDirectory() as folder:
        context = FakeContext(scratch=Path(folder), stop_at=stop)
        try:
            _run(component, task, context, 0)
        except Stopped:
            context.stop_at = None
        return _run(component, task, context, 1)[0]


def _run(
    component: Perturbation[Any], task: FitTask, context: FakeContext, fresh: int | None
) -> tuple[Print, dict[str, float]]:
    fitting = _params_and_fitting(component, task)
    if fresh is None:
        return fit(fitting, task, context, batch=BATCH, checkpoint_every=1)
    with torch.random.fork_rng():
        torch.manual_seed(fresh)
        return fit(fitting, task, context, batch=BATCH, checkpoint_every=1)


def _equal(first: Print, second: Print) -> bool:
    return _same(first.pattern, second.pattern) and _same(first.mask, second.mask) and first.how == second.how


def _same(first: Tensor | None, second: Tensor | None) -> bool:
    return first is second or (first is not None and second is not None and torch.equal(first, second))
