"""What the lab's stages do."""

import json
import os
import random
import sys
import time
from pathlib import Path

from torch import Tensor

from advorch.api import ArtifactType, ErrorClass, Outcome, Output, StageContext, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.victim import Victim
from advorch_lab import DeadlyParams, NoParams, WalkParams


def walk(context: StageContext, params: WalkParams) -> Outcome:
    """Step by step from where the newest checkpoint left off."""
    if params.password:
        params.password.reveal()
    step, place = _resumed(context, params)
    while step < params.steps:
        step += 1
        _write_diary(context, params, step)
        _trouble(params, step)
        place += random.Random(context.seeds.stream(f"step {step}")).gauss(0.0, 1.0)
        time.sleep(params.pause)
        context.report({"place": place}, step=step, checkpoint=_checkpoint(context, step, place))
    return _table(context, {"end": place})


def join(context: StageContext, params: NoParams) -> Outcome:
    """The sum of the ends."""
    ends = [json.loads((item.folder / "table.json").read_text())["end"] for item in context.inputs["tables"]]
    return _table(context, {"total": sum(ends)})


def deadly(victim: Victim, x: Tensor, y: Tensor, params: DeadlyParams, rng: Draws) -> Tensor:
    """Uniform noise; kills the process once, after so many calls of all processes."""
    if params.diary:
        with Path(params.diary).open("a") as file:
            file.write(f"{len(x)}\n")
    if params.once and not Path(params.once).exists() and _lines(params.diary) > params.after:
        Path(params.once).touch()
        os._exit(1)
    time.sleep(params.pause)
    return victim.ball(x).random(rng)


def _lines(diary: str) -> int:
    return len(Path(diary).read_text().splitlines())


def nothing(context: StageContext, params: NoParams) -> Outcome:
    """No outputs."""
    return Outcome(outputs={})


def _table(context: StageContext, values: dict[str, float]) -> Outcome:
    folder = context.scratch / "table"
    folder.mkdir()
    (folder / "table.json").write_text(json.dumps(values))
    return Outcome(outputs={"table": Output(type=ArtifactType.TABLE, folder=folder)}, metrics=values)


def _resumed(context: StageContext, params: WalkParams) -> tuple[int, float]:
    folder = context.resume()
    if folder is None:
        return 0, params.start
    state = json.loads((folder / "state.json").read_text())
    return state["step"], state["place"]


def _checkpoint(context: StageContext, step: int, place: float) -> Path:
    folder = context.scratch / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(json.dumps({"step": step, "place": place}))
    return folder


def _write_diary(context: StageContext, params: WalkParams, step: int) -> None:
    if params.diary and context.rank == 0:
        with Path(params.diary).open("a") as file:
            file.write(f"{context.seeds.root} {step}\n")


def _trouble(params: WalkParams, step: int) -> None:
    if params.trouble == "none" or step != params.at or (params.once and Path(params.once).exists()):
        return
    if params.once:
        Path(params.once).touch()
    print(f"trouble: {params.trouble}")
    if params.trouble == "lost":
        os._exit(1)
    if params.trouble == "hang":
        time.sleep(3600)
    if params.trouble == "oom":
        raise MemoryError("no room for one more step")
    if params.trouble == "nan":
        raise StageFailed("the loss is not a number", error_class=ErrorClass.NAN)
    if params.trouble == "exit":
        sys.exit(0)
    if params.trouble == "user":
        raise ValueError("a bug of the user's")
