"""Times, verdicts and norms of one row, everybody in turns."""

import os
import statistics
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import attacks_counting
import torch
from attacks_task import Attack, Contestant, Task
from torch import Tensor, nn

BARE, OWN = "bare loop", "advorch"
_ROUNDING = 1e-6  # of epsilon: what float32 makes of x + epsilon - x


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contestant at one task; robust accuracy and violations are shares, of the samples that everybody got."""

    model: str
    task: str
    who: str
    samples: int
    seconds: float
    ratio: float
    robust: float
    mean_norm: float
    max_norm: float
    violations: int
    kernels: float | None
    waits: float | None
    load: float


def measure(
    name: str,
    module: nn.Module,
    task: Task,
    everybody: dict[str, Contestant],
    batch: tuple[Tensor, Tensor],
    rounds: int,
) -> list[Row]:
    """Everybody who has this attack, round by round; the first round warms up."""
    ready = {who: attack for who, build in everybody.items() if (attack := build(module, task))}
    times: dict[str, list[float]] = {who: [] for who in ready}
    found: dict[str, Tensor] = {}
    for number in range(rounds + 1):
        for who, attack in ready.items():
            seconds, found[who] = _timed(attack, module, batch, judged=not who.startswith(OWN))
            if number or rounds == 0:
                times[who].append(seconds)
    basis = times[BARE if BARE in ready else OWN]
    return [
        Row(
            model=name,
            task=task.name,
            who=who,
            samples=len(batch[0]),
            **verdict(module, task, batch, found[who]),
            **counts(everybody[who], task),
            **spent(times[who], basis, batch),
        )
        for who in ready
    ]


def _timed(attack: Attack, module: nn.Module, batch: tuple[Tensor, Tensor], *, judged: bool) -> tuple[float, Tensor]:
    """CPU seconds to a verdict, which the project's own attacks bring along."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = time.process_time()
        z = attack(*batch)
        if judged:
            _predict(module, z)
        return time.process_time() - started, z.detach()


def _predict(module: nn.Module, z: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.as_tensor(module(z)).argmax(1)


def verdict(module: nn.Module, task: Task, batch: tuple[Tensor, Tensor], z: Tensor) -> dict[str, Any]:
    """What was found; norms are those of what fooled, or of everything where the smallest was wanted."""
    x, y = batch
    right, norm = _predict(module, x).eq(y), _norm(z - x, task.norm)
    fooled = right & _predict(module, z).ne(y)
    outside = ((z < 0) | (z > 1)).flatten(1).any(1)
    if task.epsilon is not None:
        outside |= norm > task.epsilon * (1 + _ROUNDING)
    moved = norm[fooled] if task.epsilon is not None else norm
    moved = moved if len(moved) else norm.new_full((1,), torch.nan)
    return {
        "robust": (right & ~fooled).double().mean().item(),
        "mean_norm": moved.mean().item(),
        "max_norm": moved.max().item(),
        "violations": int(outside.sum()),
    }


def spent(times: list[float], basis: list[float], batch: tuple[Tensor, Tensor]) -> dict[str, Any]:
    """Medians over the rounds, and how busy the machine was."""
    return {
        "seconds": 1000 * statistics.median(times) / len(batch[0]),
        "ratio": statistics.median(one / other for one, other in zip(times, basis, strict=True)),
        "load": round(os.getloadavg()[0], 1),
    }


def counts(contestant: Contestant, task: Task) -> dict[str, Any]:
    """What one more step adds, where an attack has steps."""
    count = attacks_counting.a_step(contestant, task)
    return {"kernels": count and count.kernels, "waits": count and count.waits}


def _norm(step: Tensor, norm: str) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(step.flatten(1).double(), ord=torch.inf if norm == "linf" else 2, dim=1)
    return length


HEADS = ("", "s/1000", "x", "robust %", "mean norm", "max norm", "outside", "kernels a step", "waits a step", "load")


def table(rows: Sequence[Row]) -> str:
    """Columns of equal width, the fastest first."""
    ordered = sorted(rows, key=lambda row: row.ratio)
    cells = [HEADS, *(_cells(row) for row in ordered)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def _cells(row: Row) -> tuple[str, ...]:
    counted = ["-" if count is None else f"{count:+.1f}" for count in (row.kernels, row.waits)]
    found = [f"{100 * row.robust:.1f}", f"{row.mean_norm:.4g}", f"{row.max_norm:.7g}", str(row.violations)]
    times = [f"{row.seconds:.3g}", f"{row.ratio:.3f}"]
    return row.who, *times, *(["-"] * 4 if row.who == BARE else found), *counted, f"{row.load:.1f}"
