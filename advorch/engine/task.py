"""What travels to a worker, and what comes back: plain data that pickles and names no function."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from advorch.artifacts import Artifact, DataInput
from advorch.canonical import Json

TaskInput = Artifact | DataInput


def flags_of(run: str) -> str:
    """Under which name all flags of a run lie."""
    return f"run/{run}"


def stop_flag(run: str, key: str) -> str:
    """How the driver and the workers of one cell name its stop flag."""
    return f"{flags_of(run)}/stop/{key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One attempt at one cell, complete in itself."""

    run: str
    cell: str
    component: str
    params: Mapping[str, Json]
    inputs: Mapping[str, tuple[TaskInput, ...]]
    key: str
    seed: int
    store: str
    plugins: Mapping[str, str]
    disabled: tuple[str, ...] = ()
    threads: int = 1
    cpus: float = 1
    gpus: float = 0
    memory: int = 0
    workers: int = 1
    placement: str = "pack"
    seconds: float | None = None

    attempt: int = 1

    @property
    def stop_flag(self) -> str:
        """The store flag that asks this cell to stop at its next report."""
        return stop_flag(self.run, self.key)

    @property
    def kill_flag(self) -> str:
        """The store flag that makes the ranks of this attempt's gang end themselves."""
        return f"{flags_of(self.run)}/kill/{self.key}/{self.attempt}"

    @property
    def began_flag(self) -> str:
        """The store flag that says that this attempt's gang has started."""
        return f"{flags_of(self.run)}/began/{self.key}/{self.attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The metrics of one step, as kept in the manifest's series."""

    step: int
    metrics: Mapping[str, float]

    def plain(self) -> dict[str, Json]:
        """As JSON."""
        return {"step": self.step, "metrics": dict(self.metrics)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """The committed outputs of a task, before the manifest names them."""

    outputs: Mapping[str, Artifact]
    metrics: Mapping[str, float] = field(default_factory=dict)
    series: tuple[Report, ...] = ()
