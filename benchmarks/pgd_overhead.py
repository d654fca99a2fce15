"""PGD-40 of the kit against a bare loop of 40 forward passes and input gradients: same model, batch and steps.

    python benchmarks/pgd_overhead.py [--batch 64] [--rounds 7] [--device cpu] [--json out.json]

The samples cannot be fooled (epsilon is small), so that nobody leaves but who goes round. Prints the median ratio.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from advorch.api import Norm
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Finish, Victim
from advorch_builtins.attacks.catalog import PgdParams
from advorch_builtins.attacks.pgd import perturb

STEPS, EPSILON = 40, 1e-4


def madry_cnn() -> nn.Module:
    """The network of the MNIST challenge, frozen, so that the bare loop has nothing to pay for weights either."""
    module = nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 1024), nn.ReLU(), nn.Linear(1024, 10),
    )  # fmt: skip
    return module.eval().requires_grad_(False)


def bare(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """What anybody would write by hand."""
    alpha = 2.5 * EPSILON / STEPS
    lower, upper = (x - EPSILON).clamp(min=0), (x + EPSILON).clamp(max=1)
    z = x.clone()
    for _ in range(STEPS):
        z.requires_grad_()
        loss = nn.functional.cross_entropy(module(z), y, reduction="sum")
        gradient = torch.autograd.grad(loss, z)[0]
        z = (z.detach() + alpha * gradient.sign()).clamp(lower, upper)
    return z


def attack(
    norm: Norm, finish: Finish, precision: Literal["fp32", "bf16"] = "fp32"
) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """The built-in, as a stage or a training step runs it."""
    params = PgdParams(steps=STEPS, random_start=False, precision=precision)

    def call(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        victim = Victim(module, box=(0.0, 1.0), norm=norm, epsilon=EPSILON, finish=finish)
        with untouched(module):
            return perturb(victim, x, y, params, Draws(0, torch.arange(len(x), device=x.device)))

    return call


def seconds(work: Callable[[], Tensor], device: str) -> float:
    """Of one call: CPU time on a CPU, where others may be at work; else by the clock, with the device drained."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    started = clock()
    work().sum().item()
    return clock() - started


def main() -> None:
    """Interleave the contestants, so that other load hits all alike."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    module = madry_cnn().to(options.device)
    x = torch.rand(options.batch, 1, 28, 28, device=options.device)
    with torch.no_grad():
        y = module(x).argmax(1)
    contestants = {
        "linf, evaluation (all judged, FGSM tried in the end)": attack(Norm.LINF, Finish.FOOLED),
        "linf, evaluation, search in bf16": attack(Norm.LINF, Finish.FOOLED, "bf16"),
        "linf, training (40 forwards)": attack(Norm.LINF, Finish.LAST),
        "l2, training": attack(Norm.L2, Finish.LAST),
        "l1, training": attack(Norm.L1, Finish.LAST),
    }
    ratios: dict[str, list[float]] = {name: [] for name in contestants}
    bare(module, x, y)
    for _ in range(options.rounds):
        for name, contestant in contestants.items():
            loop = seconds(lambda: bare(module, x, y), options.device)
            whole = seconds(lambda contestant=contestant: contestant(module, x, y), options.device)
            ratios[name].append(whole / loop)
    medians = {name: statistics.median(values) for name, values in ratios.items()}
    for name, median in medians.items():
        print(f"{median:6.3f}x  {name}")
    setting = {"batch": options.batch, "rounds": options.rounds, "device": options.device, "steps": STEPS}
    report = json.dumps(
        {"benchmark": "pgd_overhead", "ratio": medians, "torch": torch.__version__, **setting}, indent=1
    )
    if options.json:
        options.json.write_text(report + "\n")
    else:
        print(report)


if __name__ == "__main__":
    main()
