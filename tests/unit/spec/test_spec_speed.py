"""Loading is cheap: measured in CPU seconds, against a loop that says how fast this machine is."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from advorch.errors import InvalidPipeline
from advorch.spec.load import load_pipeline

_REFERENCE = 0.022  # CPU seconds of the loop below where the limits were set
_SLACK = 2.0


def _pipeline(stages: int) -> str:
    head = (
        "version: 1\nparams: {epsilon: 0.3, epochs: 3}\ndata:\n"
        "  mnist: {uses: mnist, splits: {fit: 'train[:55000]', final: test}}\n"
        "defaults: {resources: {cpus: 1}, timeout: 4h, retry: {max: 2, on: [node_lost]}}\nstages:\n"
    )
    stage = (
        "  stage-{n}:\n    uses: defend/trades\n    in: {data: mnist.fit, validation: mnist.final}\n    with:\n"
        "      model: {uses: madry-cnn}\n      epochs: ${params.epochs}\n      lr: 1e-3\n      attack: {uses: pgd, "
        'with: {epsilon: "${params.epsilon}", alpha: "${params.epsilon / {n}}", steps: 10}}\n'
        "    resources: {cpus: 1, gpus: 0}\n"
    )
    return head + "".join(stage.replace("{n}", str(n)) for n in range(stages))


def _loop() -> None:
    table: dict[str, tuple[int, str]] = {}
    for number in range(150_000):
        key = f"k{number % 997}"
        table[key] = (number, key)


def _cpu(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.parametrize(("stages", "limit"), [(100, 0.1), (1_000, 0.45)])
def test_cpu_seconds_of_loading(stages: int, limit: float) -> None:
    text = _pipeline(stages)
    slowness = max(1.0, _cpu(_loop) / _REFERENCE)
    assert _cpu(lambda: load_pipeline(Path("p.yaml"), text=text, environ={})) < limit * _SLACK * slowness


_STAGES = "stages:\n  plain: {uses: train/erm}\n"
_HOSTILE = {
    "typos": lambda: (
        "version: 1\nparams: {" + ",".join(f"p{n}: 1" for n in range(9_000)) + "}\n"
        "profiles: {q: {params: {" + ",".join(f"q{n}: 1" for n in range(9_000)) + "}}}\n"
    ),
    "unknown-names": lambda: (
        "version: 1\nparams: {" + ",".join(f'p{n}: "${{params.q{n}}}"' for n in range(5_000)) + "}\n"
    ),
    "measured-again-and-again": lambda: (
        "version: 1\nparams:\n  m: {" + ",".join(f"a{n}: 1" for n in range(20_000)) + "}\n"
        + "".join(f"  p{n}: ${{len(params.m)}}\n" for n in range(3_000))
    ),
    "one-text-of-expressions": lambda: 'version: 1\nparams: {a: "' + "${1}" * 100_000 + '"}\n',
    "anchors": lambda: "version: 1\nx-a:\n" + "".join(f"- &a{n} [1]\n" for n in range(20_000)),
    "duplicates": lambda: "version: 1\n" + "name: a\n" * 30_000,
}  # fmt: skip


@pytest.mark.parametrize("name", _HOSTILE)
def test_hostile_files_are_answered_quickly(name: str) -> None:
    text = _HOSTILE[name]() + _STAGES
    start = time.process_time()
    with contextlib.suppress(InvalidPipeline):
        load_pipeline(Path("p.yaml"), text=text, environ={})
    assert time.process_time() - start < 5.0
