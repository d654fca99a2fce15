"""Run a pipeline in forked children that die at the n-th durable operation, then once more to the end.

Arguments: the pipeline, and the step from one fatal operation to the next. Prints one JSON object a line. Forking keeps
the price of a death at milliseconds: torch is imported once, in the parent.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import sklearn.datasets  # noqa: F401  what children would import, each anew
import torch

import advorch
import advorch.engine.bench
import advorch.hosts.attack
import advorch.hosts.stage
import advorch.hosts.training
import advorch.session.running
from advorch.session.running import Options
from advorch.session.workspace import Workspace


class Countdown:
    """Dies at the n-th durable operation; counts them all if told never to."""

    def __init__(self, fatal: int) -> None:
        self.seen: list[str] = []
        self._fatal = fatal

    def __call__(self, operation: str) -> None:
        self.seen.append(operation)
        if len(self.seen) == self._fatal:
            os._exit(42)


def run(pipeline: Path, home: Path, fatal: int = -1) -> dict[str, object]:
    countdown = Countdown(fatal)
    options = Options(executor="inline", quiet=True, on_durable=countdown)
    done = advorch.load(pipeline, workspace=Workspace(home)).plan().run(options)
    outputs = {cell: manifest.plain()["outputs"] for cell, manifest in done.manifests.items() if manifest}
    return {"exit_code": done.exit_code, "outputs": outputs, "metrics": done.metrics, "operations": countdown.seen}


def in_child(pipeline: Path, home: Path, fatal: int = -1) -> tuple[int, dict[str, object]]:
    """Exit status of the child, and what it found if it lived."""
    answer = home.with_suffix(".json")
    pid = os.fork()
    if pid == 0:
        torch.set_num_threads(1)
        found = run(pipeline, home, fatal)
        answer.write_text(json.dumps(found))
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return code, json.loads(answer.read_text()) if code == 0 else {}


def main(pipeline: Path, step: int) -> None:
    """The undisturbed run, then one death at each of its operations, each followed by a run that must complete."""
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # the first optimiser imports half of torch
    diary = Path("diary")
    _, calm = in_child(pipeline, Path("calm"))
    calm_diary = diary.read_text()
    operations = list(calm["operations"])  # type: ignore[call-overload]
    print(
        json.dumps({"operations": operations, "diary": calm_diary.splitlines(), "outputs": calm["outputs"]}), flush=True
    )
    for fatal in range(1, len(operations) + 1, step):
        diary.unlink(missing_ok=True)
        home = Path(f"home-{fatal}")
        died, _ = in_child(pipeline, home, fatal)
        code, after = in_child(pipeline, home)
        record = {"at": operations[fatal - 1], "number": fatal, "died": died, "code": code} | {
            "outputs": after.get("outputs"), "metrics": after.get("metrics"), "diary": diary.read_text().splitlines()
        }  # fmt: skip
        print(json.dumps(record), flush=True)
        shutil.rmtree(home)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
