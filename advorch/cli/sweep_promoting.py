"""Pinning a trial in the lock file of a pipeline, and taking the pin out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from advorch.cli.render import say
from advorch.cli.sweep_target import open_pipeline
from advorch.errors import UsageError
from advorch.session.pipeline import Pipeline
from advorch.session.sweep_opening import choose_one
from advorch.spec.pins import Pin, lock_file, pin, read_pins, unpin
from advorch.spec.suggest import hint
from advorch.tuning.promotion import pin_fault


def set_pin(file: Path, stage: str, trial: int, set_: Sequence[str], profile: str, no_plugin: Sequence[str]) -> None:
    """Pin a trial that has a result."""
    sweeps = without_pins(open_pipeline(file, set_, profile, no_plugin)).plan().sweeps()
    sweep = choose_one(sweeps, stage, among=str(file))
    if sweep.awaited or not sweep.trials:
        raise UsageError(f"nothing was searched yet for '{sweep.cell}'", hint=f"advorch pipeline run {file}")
    if fault := pin_fault(sweep.trials, trial):
        raise UsageError(fault, hint=f"see those that are done: advorch sweep trials {file} {sweep.stage}")
    end = sweep.trials[trial].end
    if end and any(violation > 0 for violation in end.outcome.violations):
        say(f"warning: trial {trial} keeps not every constraint")
    path = pin(file, Pin(stage=sweep.cell, search=sweep.key, trial=trial, profile=profile))
    say(f"'{sweep.cell}' hands on trial {trial} from now on: {path} says so")


def clear_pin(file: Path, stage: str, profile: str) -> None:
    """Take a pin out; the only one needs no name."""
    here = [item.stage for item in read_pins(file) if item.profile == profile]
    cell = stage or (here[0] if len(here) == 1 else "")
    if not here:
        under = f" under the profile '{profile}'" if profile else ""
        raise UsageError(f"no trial is pinned in {lock_file(file)}{under}")
    if not unpin(file, cell, profile):
        raise UsageError(f"no trial of '{stage}' is pinned", hint=hint(stage, here) or f"pinned: {', '.join(here)}")
    say(f"'{cell}' hands on its winner again")


def without_pins(pipeline: Pipeline) -> Pipeline:
    """Its sweeps with their own winners: a pin of another search would stand in the way of its successor."""
    return replace(pipeline, spec=replace(pipeline.spec, pins={}))
