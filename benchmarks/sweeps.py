"""What sweeps cost and what stopping early brings: cheap trials, halving against random search, trials that are gangs.

    python benchmarks/sweeps.py [--quick] [--json out.json]

Cheap trials: 1,000 that write one small table, one at a time on a warm Ray actor, over a call of that actor that does
nothing. Halving: five seeds of a search over the learning rate, weight decay and batch of a small net on the digits,
both searches with as many epochs in all. Gangs: eight trials, each of two workers, on a Ray of two CPUs, against the
same eight trials written for Ray Tune by hand (sweeps_by_hand.py, in a process of its own).
"""

import statistics
import subprocess
import sys
import time
from contextlib import chdir
from pathlib import Path
from unittest import mock

from dispatch import TimedRay, Watch, show_lab
from measuring import Figure, command, stand

import advorch
from advorch.events import CellReported
from advorch.session.running import Options
from advorch.tracking.journal import FILE, read

HEAD = "version: 1\nname: sweep\ntracking: {mlflow: false}\n"

CHEAP = """
stages:
  best:
    uses: train/walk
    tune:
      space: {start: {uniform: [0, 1]}}
      objective: {metric: end, goal: maximize}
      search: {algorithm: random, trials: TRIALS, concurrency: 1}
    with: {steps: 0, start: "${trial.start}"}
"""

DIGITS = """
seed: SEED
data:
  digits: {uses: digits, splits: {fit: "train[:900]", select: "train[900:]", final: test}}
stages:
  best:
    tune:
      space:
        lr: {loguniform: [0.0001, 1]}
        decay: {loguniform: [0.000001, 0.1]}
        batch: {choice: [16, 32, 64, 128, 256]}
      objective: {metric: train.clean_accuracy, goal: maximize}
      search: {algorithm: random, trials: TRIALS, concurrency: 1}
      SCHEDULER
    stages:
      train:
        uses: train/erm
        in: {data: digits.fit, validation: digits.select}
        with:
          model: {uses: mlp}
          optimizer: sgd
          epochs: EPOCHS
          lr: ${trial.lr}
          weight_decay: ${trial.decay}
          batch: ${trial.batch}
    out: {model: train.model}
  final:
    uses: attack/fgsm
    in: {model: best.model, data: digits.final}
    with: {epsilon: 0.0625}
"""

ASHA = (
    "scheduler: {type: asha, metric: train.clean_accuracy, goal: maximize, "
    "time: epoch, max: EPOCHS, grace: 1, reduction: 3}"
)

GANG = """
data:
  moons: {uses: moons}
stages:
  best:
    tune:
      space: {lr: {loguniform: [0.001, 0.1]}}
      objective: {metric: train.clean_accuracy, goal: maximize}
      search: {algorithm: random, trials: TRIALS}
    stages:
      train:
        uses: train/erm
        in: {data: moons.train, validation: moons.test}
        with: {model: {uses: mlp}, epochs: 5, batch: 64, lr: "${trial.lr}"}
        resources: {workers: 2, cpus: 1}
    out: {model: train.model}
"""


def measure(quick: bool) -> list[Figure]:
    """All three."""
    return [*cheap(100 if quick else 1000), *halving((1, 2) if quick else (1, 2, 3, 4, 5)), *gangs(2 if quick else 8)]


def cheap(trials: int) -> list[Figure]:
    """Milliseconds a trial over a call of the same actor that does nothing, on the clock and of CPU."""
    show_lab()
    with stand() as here, chdir(here.folder), mock.patch("advorch.engine.ray.backend.RayBackend", TimedRay):
        watch = Watch(early=2 * (trials // 5), last=2 * trials)  # two ends a trial: its cell's and its own
        advorch.load(_write(here.folder, CHEAP, TRIALS=trials)).plan().run(
            Options(executor="ray", quiet=True, on_durable=watch)
        ).check()
    wall, cpu = 2 * watch.per_stage(watch.wall), 2 * watch.per_stage(watch.cpu)
    note = f"{trials} trials on one warm actor, bare call {TimedRay.bare:.2f} ms"
    return [
        Figure(
            what="a cheap trial over the bare call, on the clock",
            value=wall - TimedRay.bare,
            unit="ms",
            goal=20,
            note=note,
        ),
        Figure(what="a cheap trial, CPU of all processes", value=cpu, unit="ms", note=note),
    ]


def halving(seeds: tuple[int, ...], epochs: int = 27, whole: int = 9) -> list[Figure]:
    """The winner's accuracy on the split of selection, and on the held-out one, by each search and seed."""
    found: dict[str, list[tuple[float, float]]] = {"random": [], "asha": []}
    used = {"random": 0, "asha": 0}
    for seed in seeds:
        for name, scheduler, trials in (("random", "", whole), ("asha", ASHA, 5 * whole)):
            result, spent = _search(seed, scheduler, trials, epochs, most=whole * epochs)
            found[name].append(result)
            used[name] = max(used[name], spent)
    about = {name: f"{len(seeds)} seeds, at most {used[name]} epochs each" for name in found}
    return [
        Figure(
            what=f"{name}: error of the winner, {where}", unit="%", note=about[name],
            value=100 * (1 - statistics.fmean(pair[index] for pair in pairs)),
        )
        for name, pairs in found.items()
        for index, where in enumerate(("on the split that selects", "held out"))
    ]  # fmt: skip


def _search(seed: int, scheduler: str, trials: int, epochs: int, most: int) -> tuple[tuple[float, float], int]:
    """The largest search of its kind that fits into so many epochs."""
    while True:
        with stand() as here, chdir(here.folder):
            path = _write(here.folder, DIGITS, SEED=seed, TRIALS=trials, SCHEDULER=scheduler, EPOCHS=epochs)
            done = advorch.load(path).plan().run(Options(executor="inline", quiet=True))
            spent = _steps_of_trials(here.folder)
        if sum(spent) <= most:
            return (done.metrics["best"]["train.clean_accuracy"], done.metrics["final"]["clean_accuracy"]), sum(spent)
        fit = next(index for index in range(len(spent)) if sum(spent[: index + 1]) > most)
        trials = min(fit, trials - 1)


def _steps_of_trials(folder: Path) -> list[int]:
    """How many epochs each trial trained, by number."""
    run = next((folder / ".advorch" / "runs").iterdir())
    steps: dict[int, int] = {}
    for entry in read(run / FILE):
        event = entry.event
        if isinstance(event, CellReported) and event.cell.endswith("/train"):
            steps[int(event.cell.split("/")[1])] = event.step
    return [steps[number] for number in sorted(steps)]


def gangs(trials: int) -> list[Figure]:
    """Seconds of eight trials of two workers on two CPUs: ours, and the same by hand; each starts its own Ray."""
    with stand() as here, chdir(here.folder):
        path = _write(here.folder, GANG, TRIALS=trials)
        started = time.perf_counter()
        done = advorch.load(path).plan().run(Options(executor="ray", quiet=True))
        ours = time.perf_counter() - started
        if done.exit_code:
            raise RuntimeError(f"the sweep ended with {done.exit_code}")
    started = time.perf_counter()
    subprocess.run([sys.executable, str(Path(__file__).with_name("sweeps_by_hand.py")), str(trials)], check=True)
    theirs = time.perf_counter() - started
    return [
        Figure(what=f"{trials} trials of two workers", value=ours, unit="s"),
        Figure(what=f"{trials} trials of two workers, Ray Tune by hand", value=theirs, unit="s"),
        Figure(what="ours against by hand", value=ours / theirs, unit="", goal=1.1),
    ]


def _write(folder: Path, text: str, **values: object) -> Path:
    text = HEAD + text
    for name, value in values.items():
        text = text.replace(name, str(value))
    for name, value in values.items():  # a scheduler has values of its own
        text = text.replace(name, str(value))
    path = folder / "pipeline.yaml"
    path.write_text(text)
    return path


if __name__ == "__main__":
    command("sweeps", __doc__, measure)
