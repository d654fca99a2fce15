"""A small search, for what reads the trials of sweeps."""

from typing import Any

from advorch.kit.evaluation.findings import Table, Value

_ROWS: tuple[tuple[Value, ...], ...] = (
    (0, "done", None, 0.1, 0.001, "erm", 0.9, 0.4, 4),
    (1, "done", 1, 0.2, 0.01, "trades", 0.8, 0.6, 4),
    (2, "pruned", None, 0.4, 0.1, "erm", None, None, 1),
    (3, "failed", None, 0.3, 0.05, "trades", None, None, 0),
    (4, "done", None, 0.3, 0.02, "erm", 0.6, 0.65, 4),
    (5, "done", None, 0.15, 0.004, "trades", 0.85, 0.5, 4),
)
_COLUMNS = (
    "trial", "state", "rank", "epsilon", "lr", "loss", "probe.clean_accuracy", "probe.robust_accuracy", "steps",
)  # fmt: skip


def few_trials() -> Table:
    """Six trials of three dimensions, as a sweep hands them on: one stopped early, one failed, one over a limit."""
    return Table(_COLUMNS, _ROWS, "maximize probe.robust_accuracy", facts=_facts())


def _facts() -> dict[str, Any]:
    metric = "probe.robust_accuracy"
    return {
        "dimensions": [
            {"name": "epsilon", "kind": "uniform", "values": [0.1, 0.4]},
            {"name": "lr", "kind": "loguniform", "values": [0.001, 0.1]},
            {"name": "loss", "kind": "choice", "values": ["erm", "trades"]},
        ],
        "objectives": [{"metric": metric, "goal": "maximize"}],
        "constraints": ["probe.clean_accuracy >= 0.7"],
        "constrained": ["probe.clean_accuracy"],
        "eligible": [0, 1, 5],
        "importance": {metric: {"epsilon": 0.6, "lr": 0.3, "loss": 0.1}},
        "scheduler": {"type": "asha", "time": "epoch"},
        "watched": "train.robust_accuracy",
        "reports": {
            str(number): [[step, height * step / 4] for step in range(1, last + 1)]
            for number, last, height in ((0, 4, 0.4), (1, 4, 0.6), (2, 1, 0.2), (4, 4, 0.6), (5, 4, 0.5))
        },
    }
