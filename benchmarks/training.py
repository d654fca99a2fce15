"""A step of training by each recipe against a loop written by hand of the same arithmetic, and against a loop that
calls `backward` on the perturbation, as published code does; and against other libraries, if they can be imported
(training_peers.py says how they are set up).

    python benchmarks/training.py [--model fast-cnn] [--batch 128] [--rounds 5] [--only pgd] [--json out.json]

On random images of MNIST's size: time does not depend on what they show. Times are CPU seconds of this process, in
turns, the median of all rounds but the first; `x` is the median over rounds of the time over that of the loop of the
same round. PGD steps are input gradients, however they were asked for. With a GPU times are wall seconds, and bf16,
`channels_last` and both are measured besides.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from training_by_hand import LOOPS, STEPS, pgd_by_backward
from training_ours import CHOICE, Desk, trainer
from training_peers import RECIPES, installed

from advorch.api import Model, Signature
from advorch.kit.data import Data

Run = Callable[[], None]
_SLOPES = {"pgd": STEPS, "trades": STEPS, "mart": STEPS, "awp": STEPS, "fast": 1, "descent-direction": 2 * STEPS}
_SWITCHES: dict[str, dict[str, Any]] = {
    "bf16": {"precision": "bf16"},
    "channels_last": {"channels_last": True},
    "bf16 channels_last": {"precision": "bf16", "channels_last": True},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contestant at one recipe."""

    recipe: str
    who: str
    seconds: float
    ratio: float | None
    images_a_second: float
    pgd_steps_a_second: float | None
    load: float


def main() -> None:
    """Every recipe, everybody in turns."""
    options = _options()
    torch.set_num_threads(options.threads)
    desk, rows = Desk(), []
    for recipe in options.only or CHOICE:
        fresh = measure(recipe, contestants(desk, recipe, options), options)
        rows += fresh
        print(f"\n{recipe}\n{table(fresh)}", flush=True)
    if options.json:
        machine = {"python": platform.python_version(), "platform": platform.platform(), "torch": torch.__version__}
        report = {"benchmark": "training", **machine, "threads": options.threads, "rows": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(report, indent=1) + "\n")


def contestants(desk: Desk, recipe: str, options: argparse.Namespace) -> dict[str, Run]:
    """The loop by hand first, where there is one; each has a model and an optimiser of its own."""
    data = images(options)
    found: dict[str, Run] = {}
    if recipe in LOOPS:
        found["by hand"] = _by_hand(LOOPS[recipe], desk, data, options)
    found["advorch"] = _ours(desk, recipe, data, options, {})
    if recipe == "pgd":
        found["backward on the perturbation"] = _by_hand(pgd_by_backward, desk, data, options)
    found |= {
        who: partial(peer, recipe, _adam(desk, data, options), data, options.batch)
        for who, peer in installed()
        if recipe in RECIPES[who]
    }
    if options.device != "cpu":
        found |= {f"advorch {name}": _ours(desk, recipe, data, options, values) for name, values in _SWITCHES.items()}
    return found


def _by_hand(loop: Any, desk: Desk, data: Data, options: argparse.Namespace) -> Run:
    model, optimizer = _adam(desk, data, options)

    def run() -> None:
        for start in range(0, len(data), options.batch):
            batch = slice(start, start + options.batch)
            loop(model, optimizer, data.x[batch], data.y[batch])

    return run


def _adam(desk: Desk, data: Data, options: argparse.Namespace) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = network(desk, options, data.signature).train()
    return model, torch.optim.Adam(model.parameters(), lr=1e-4)


def _ours(desk: Desk, recipe: str, data: Data, options: argparse.Namespace, values: dict[str, Any]) -> Run:
    made = trainer(desk, recipe, network(desk, options, data.signature), data, batch=options.batch, **values)
    epochs = iter(range(1, 1000))
    return lambda: made.epoch(next(epochs)) and None


def network(desk: Desk, options: argparse.Namespace, signature: Signature) -> nn.Module:
    """The component of that name, with its own defaults."""
    component = desk.lookup(f"model/{options.model}")
    assert isinstance(component, Model)
    torch.manual_seed(0)
    module: nn.Module = component.load()(component.params(), signature)
    return module.to(options.device)


def images(options: argparse.Namespace) -> Data:
    """Random ones, as many as there are steps in a round."""
    rng, count = torch.Generator().manual_seed(0), options.batch * options.steps
    x = torch.rand(count, *options.shape, generator=rng).to(options.device)
    y = torch.randint(10, (count,), generator=rng).to(options.device)
    ids = torch.arange(count).to(options.device)
    return Data(x=x, y=y, ids=ids, classes=tuple("0123456789"), box=(0.0, 1.0))


def measure(recipe: str, everybody: dict[str, Run], options: argparse.Namespace) -> list[Row]:
    """Round by round; the first warms up."""
    times: dict[str, list[float]] = {who: [] for who in everybody}
    for number in range(options.rounds + 1):
        for who, run in everybody.items():
            seconds = _timed(run, options.device)
            if number:
                times[who].append(seconds)
    basis = times.get("by hand")
    return [_row(recipe, who, times[who], basis, options) for who in everybody]


def _timed(run: Run, device: str) -> float:
    if device == "cpu":
        started = time.process_time()
        run()
        return time.process_time() - started
    torch.cuda.synchronize()
    started = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def _row(recipe: str, who: str, times: list[float], basis: list[float] | None, options: argparse.Namespace) -> Row:
    seconds, images = statistics.median(times), options.batch * options.steps
    slopes = _SLOPES.get(recipe)
    ratio = statistics.median(one / other for one, other in zip(times, basis, strict=True)) if basis else None
    return Row(
        recipe=recipe,
        who=who,
        seconds=seconds / options.steps,
        ratio=ratio,
        images_a_second=images / seconds,
        pgd_steps_a_second=slopes * images / seconds if slopes else None,
        load=round(os.getloadavg()[0], 1),
    )


def table(rows: list[Row]) -> str:
    """Columns of equal width."""
    heads = ("", "ms a step", "x", "images/s", "PGD steps/s", "load")
    cells = [heads, *(_cells(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def _cells(row: Row) -> tuple[str, ...]:
    ratio = "-" if row.ratio is None else f"{row.ratio:.3f}"
    slopes = "-" if row.pgd_steps_a_second is None else f"{row.pgd_steps_a_second:.0f}"
    return row.who, f"{1000 * row.seconds:.2f}", ratio, f"{row.images_a_second:.0f}", slopes, f"{row.load}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="fast-cnn", help="a model component with parameters that have defaults")
    parser.add_argument("--shape", type=int, nargs=3, default=(1, 28, 28), metavar=("C", "H", "W"))
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=8, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", action="append", default=[], choices=list(CHOICE))
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
