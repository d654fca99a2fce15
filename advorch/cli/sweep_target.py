"""What the commands on sweeps are given: a pipeline file or a run, and the sweeps in it."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from advorch.errors import UsageError
from advorch.session.workspace import Workspace

if TYPE_CHECKING:
    from advorch.session.pipeline import Pipeline
    from advorch.session.sweeps import Sweep


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The sweeps that are meant; `target` names where they stand, `file` is empty for a run, `flags` what was given."""

    target: str
    sweeps: "Sequence[Sweep]"
    file: str = ""
    flags: tuple[str, ...] = ()

    def command(self, *words: str) -> str:
        """A command on the same pipeline, to copy; one on a run goes without its flags."""
        return shlex.join(["advorch", *words, self.file or self.target, *self.flags])


def open_target(
    target: str, stage: str, set_: Sequence[str] | None, profile: str, no_plugin: Sequence[str] | None
) -> Opened:
    """The sweeps of a file as it stands, or of a run as it was."""
    from advorch.session.sweep_opening import choose

    if is_file(target):
        pipeline = open_pipeline(Path(target), set_ or (), profile, no_plugin or ())
        sweeps = choose(pipeline.plan().sweeps(), stage, among=target)
        flags = tuple(run_flags(set_ or (), profile))
        return Opened(target=target, sweeps=sweeps, file=target, flags=flags)
    if set_ or profile or no_plugin:
        raise UsageError(f"-S, --profile and --no-plugin say how a file is read, and '{target}' is a run")
    return Opened(target=target, sweeps=_of_run(target, stage))


def open_pipeline(file: Path, set_: Sequence[str], profile: str, no_plugin: Sequence[str]) -> "Pipeline":
    """A file, read as the flags say."""
    from advorch.session.pipeline import load

    return load(file, profile=profile, overrides=list(set_), no_plugins=no_plugin)


def run_flags(set_: Sequence[str], profile: str) -> list[str]:
    """The flags that a run needs to read the file in the same way."""
    return [*(word for item in set_ for word in ("-S", item)), *(["--profile", profile] if profile else [])]


def is_file(target: str) -> bool:
    """Whether a pipeline file is meant, there or not; runs have no such names."""
    return Path(target).suffix in (".yaml", ".yml") or Path(target).is_file()


def _of_run(target: str, stage: str) -> "Sequence[Sweep]":
    from advorch.cli.refreshing import refresh_one
    from advorch.session.sweep_opening import choose, sweeps_of_run
    from advorch.tracking.runs import find_run, load_run

    folder = find_run(Workspace.find().runs, target)
    refresh_one(folder)
    record = load_run(folder)
    return choose(sweeps_of_run(record), stage, among=f"run {record.run}")
