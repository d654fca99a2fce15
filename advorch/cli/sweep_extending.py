"""A search with a larger budget: what has to be set, and the command that does it."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from advorch.cli.sweep_target import open_pipeline, run_flags
from advorch.errors import UsageError
from advorch.session.sweep_opening import choose
from advorch.session.sweeps import Sweep
from advorch.spec.nodes import MapNode
from advorch.spec.pipeline import PipelineSpec, TuneSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Longer:
    """What was asked for; what is empty stays as it is."""

    trials: str = ""
    wall: str = ""
    gpu_hours: str = ""


def overrides(
    file: Path, stage: str, longer: Longer, set_: Sequence[str], profile: str, no_plugin: Sequence[str]
) -> list[str]:
    """The settings that make a search longer, as `-S` takes them."""
    if not (longer.trials or longer.wall or longer.gpu_hours):
        raise UsageError("nothing says how much longer", hint="for example --trials +20")
    pipeline = open_pipeline(file, set_, profile, no_plugin)
    found = choose(pipeline.plan().sweeps(), stage, among=str(file))
    name = found[0].stage
    return [f"stages.{name}.tune.{setting}" for setting in _settings(_tune(pipeline.spec, name), found, longer)]


def _tune(spec: PipelineSpec, stage: str) -> TuneSpec:
    tune = spec.stages[stage].tune
    if tune is None:
        raise AssertionError(f"'{stage}' was found to be a sweep")
    return tune


def _settings(tune: TuneSpec, sweeps: Sequence[Sweep], longer: Longer) -> list[str]:
    given = [f"budget.{name}={text}" for name, text in (("wall", longer.wall), ("gpu_hours", longer.gpu_hours)) if text]
    for setting in given:
        name = setting.partition("=")[0].partition(".")[2]
        if not _has(tune.budget, name):
            raise UsageError(
                f"the search has no budget of {name}", hint=f"write it into the file: budget: {{{name}: ...}}"
            )
    if longer.trials:
        places = [f"{name}.trials" for name in ("search", "budget") if _has(getattr(tune, name), "trials")]
        if not places:
            raise UsageError("the search does not count trials", hint="write it into the file: search: {trials: ...}")
        given = [*(f"{place}={_count(longer.trials, sweeps)}" for place in places), *given]
    return given


def _has(node: MapNode | None, key: str) -> bool:
    return node is not None and node.get(key) is not None


def _count(text: str, sweeps: Sequence[Sweep]) -> int:
    """So many in all, or so many more than the budget or than earlier runs have drawn."""
    number = text.removeprefix("+")
    if not number.isdecimal() or int(number) < 1:
        raise UsageError(f"'{text}' is no number of trials", hint="20 in all, or +20 for twenty more")
    if not text.startswith("+"):
        return int(number)
    return int(number) + max(max(len(sweep.trials), sweep.tuning.budget.trials or 0) for sweep in sweeps)


def run_command(file: Path, set_: Sequence[str], profile: str) -> str:
    """The run that reads a file with these settings, to copy."""
    return shlex.join(["advorch", "pipeline", "run", str(file), *run_flags(set_, profile)])


def command(file: Path, set_: Sequence[str], profile: str, executor: str) -> str:
    """The same as it is started now."""
    return run_command(file, set_, profile) + ("" if executor == "ray" else f" --executor {executor}")


def to_keep(added: Sequence[str]) -> str:
    """What to write down, for the next run reads the file again."""
    return f"to keep it, write into the file: {'; '.join(added)}"
