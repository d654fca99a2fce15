"""Pipeline files and plugins of any size, to measure with."""

from pathlib import Path

HEAD = "version: 1\nname: benchmark\nseed: 7\nparams: {steps: 1, start: 0.5}\ntracking: {mlflow: false}\nstages:\n"


def no_ops(folder: Path, count: int) -> Path:
    """Stages that do nothing, beside each other; seeds keep them from sharing a result."""
    stages = "".join(f"  s{n:05d}:\n    uses: train/nothing\n    seed: {n}\n" for n in range(count))
    return _written(folder / f"no-ops-{count}.yaml", stages)


def walks(folder: Path, count: int) -> Path:
    """Pairs of a stage with parameters, expressions and inputs, and one that joins two; chains are ten long."""
    return _written(folder / f"walks-{count}.yaml", "".join(map(_pair, range(count // 2))))


def _pair(n: int) -> str:
    before = f"    in: {{table: w{n - 1:05d}.table}}\n" if n % 10 else ""
    return (
        f"  w{n:05d}:\n    uses: train/walk\n    seed: {n}\n{before}"
        f'    with: {{steps: "${{params.steps}}", start: "${{params.start * {n} + 1}}", at: {n + 2}}}\n'
        f"    resources: {{cpus: 1}}\n"
        f"  j{n:05d}:\n    uses: evaluate/join\n    in: {{tables: [w{n:05d}.table, w{max(n - 1, 0):05d}.table]}}\n"
    )


def _written(path: Path, stages: str) -> Path:
    path.write_text(HEAD + stages)
    return path


PLUGIN = '''
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from advorch.api import Components, Kind, Params, Stage, hookimpl


class Inner(BaseModel):
    """A model of its own."""

    rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    mode: Literal["fast", "slow"] = "fast"


class Settings(Params):
    """A handful of parameters."""

    steps: Annotated[int, Field(ge=1, description="how many")] = 3
    sizes: tuple[float, ...] = (0.1, 0.2)
    name: str | None = None


def _load():
    raise NotImplementedError


@hookimpl
def advorch_components() -> Components:
    """One stage."""
    return [Stage(name="fake-NUMBER", summary="Fake", params=Settings, load=_load, stage=Kind.TRAIN)]
'''


def plugins(folder: Path, count: int) -> Path:
    """Distributions with one plugin each, as an installer would leave them."""
    for number in range(count):
        name = f"advorch_fake_{number:02d}"
        (folder / f"{name}.py").write_text(PLUGIN.replace("NUMBER", f"{number:02d}"))
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[advorch.plugins]\nfake = {name}\n")
    return folder
