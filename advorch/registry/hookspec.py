"""The hooks that a plugin may implement: one that collects, one that checks, four that watch."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from advorch.components import AnyComponent
    from advorch.errors import Problem
    from advorch.events import CellFinished, CellStarted, RunFinished, RunStarted

hookspec = pluggy.HookspecMarker("advorch")
hookimpl = pluggy.HookimplMarker("advorch")


@hookspec
def advorch_components() -> "Iterable[AnyComponent]":
    """Return everything this plugin contributes. Called once, one plugin at a time: an exception here
    disables this plugin and no other. Must not import torch, ray or mlflow."""
    return ()


@hookspec
def advorch_check_plan(plan: Any) -> "Iterable[Problem]":
    """Return what is wrong with a plan before anything runs; every plugin is asked."""
    return ()


@hookspec
def advorch_run_started(event: "RunStarted") -> None:
    """A run begins. Observers run in the driver; their errors are logged and never raised."""


@hookspec
def advorch_stage_started(event: "CellStarted") -> None:
    """An attempt at a cell begins."""


@hookspec
def advorch_stage_finished(event: "CellFinished") -> None:
    """A cell ended: done, cached, failed, skipped or stopped."""


@hookspec
def advorch_run_finished(event: "RunFinished") -> None:
    """A run ended; the event carries its exit code."""
