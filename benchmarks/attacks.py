"""The attacks against other libraries: same model, inputs and budget, in turns, from clean samples to verdicts.

    python benchmarks/attacks.py --weights plain=plain.safetensors --weights robust=robust.safetensors
        [--data MNIST_FOLDER] [--samples 64] [--rounds 5] [--only "PGD linf 40"] [--against ours] [--json out.json]

Weights are those of the component `madry-cnn` for MNIST; without any, an untrained one is attacked, whose robust
accuracy says nothing. Libraries are measured if they can be imported (attacks_peers.py says how they are set up).
Times are CPU seconds of this process a thousand samples, the verdict's forward pass included, the median of all rounds
but the first; `x` is the median over rounds of the time over that of the bare loop of the same round. A search for
the smallest perturbation has no bare loop: there it is the time over that of the project. `in training` is the
project's loop as a training step runs it: nobody is judged on the way, nobody leaves. Kernels and waits are those of
one more step, on a net that nobody fools, beyond one forward pass, torch's cross-entropy and one input gradient.
"""

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from attacks_bare import bare
from attacks_measure import Row, measure, table
from attacks_ours import cascade, ours, training
from attacks_peers import installed
from attacks_task import CLASSES, TASKS, Contestant, Task
from torch import Tensor, nn

from advorch.api import Signature
from advorch_builtins.datasets.catalog import ImagesParams
from advorch_builtins.datasets.mnist import load as load_mnist
from advorch_builtins.models.catalog import FixedParams
from advorch_builtins.models.madry_cnn import build

OWN = "advorch"


def contestants(only: list[str]) -> tuple[dict[str, Contestant], dict[str, str]]:
    """Everybody who takes part, the project first, and their versions."""
    found: dict[str, Contestant] = {
        OWN: ours(),
        f"{OWN} bf16": ours("bf16"),
        f"{OWN} cascade": cascade,
        "in training": training,
        "bare loop": bare,
    }
    versions = {"torch": torch.__version__}
    for name, release, contestant in installed():
        if not only or name in only:
            found[name], versions[name] = contestant, release
    return found, versions


def model(weights: Path | None) -> nn.Module:
    """The net of the MNIST challenge; its parameters want gradients, as after training."""
    signature = Signature(shape=(1, 28, 28), classes=tuple(map(str, range(CLASSES))), box=(0.0, 1.0))
    torch.manual_seed(0)
    module = build(FixedParams(), signature)
    if weights:
        from safetensors.torch import load_file

        module.load_state_dict(load_file(weights))
    return module.eval()


def samples(folder: Path | None, count: int) -> tuple[Tensor, Tensor]:
    """The first test images, or noise where there are none."""
    if folder is None:
        print("no data folder (--data, ADVORCH_DATA): noise is attacked", file=sys.stderr)
        noise = torch.Generator().manual_seed(0)
        return torch.rand(count, 1, 28, 28, generator=noise), torch.zeros(count, dtype=torch.int64)
    data = load_mnist(ImagesParams(root=str(folder)), "test").take(slice(count))
    return data.x, data.y


def main() -> None:
    """Every model, every row, everybody in turns."""
    options = _options()
    torch.set_num_threads(options.threads)
    everybody, versions = contestants(options.against)
    tasks = [task for task in TASKS if not options.only or task.name in options.only]
    weights = dict(pair.split("=", 1) for pair in options.weights) or {"untrained": ""}
    rows: list[Row] = []
    for name, file in weights.items():
        module = model(Path(file) if file else None)
        x, y = samples(options.data, options.samples)
        for task in tasks:
            fresh = measure(name, module, task, everybody, _share(x, y, task), options.rounds)
            rows += fresh
            print(f"\n{name}: {task.name}, {fresh[0].samples} samples\n{table(fresh)}", flush=True)
    if options.json:
        machine = {"python": platform.python_version(), "platform": platform.platform(), "load": os.getloadavg()[0]}
        setting = {"threads": options.threads, "rounds": options.rounds, "versions": versions}
        report = {"benchmark": "attacks", **machine, **setting, "rows": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(report, indent=1) + "\n")


def _share(x: Tensor, y: Tensor, task: Task) -> tuple[Tensor, Tensor]:
    count = max(1, round(task.share * len(x)))
    return x[:count], y[:count]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("ADVORCH_DATA")
    parser.add_argument("--weights", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--data", type=Path, default=Path(data) / "mnist" if data else None)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", action="append", default=[], choices=[task.name for task in TASKS])
    parser.add_argument("--against", action="append", default=[], metavar="LIBRARY", help="these libraries alone")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
