"""Which epoch's weights are the output, and when it is no use to go on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor, nn

Keep = Literal["last", "best", "worst-class"]


@dataclass(slots=True, kw_only=True)
class Selection:
    """Keeps the last epoch, or the first of the best, on average or in the worst class: by adversarial validation where
    there is one, else by clean."""

    keep: Keep = "last"
    patience: int | None = None
    ended: bool = False
    epoch: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    best_epoch: int = 0
    best_score: float = -math.inf
    best_metrics: dict[str, float] = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def spent(self) -> bool:
        """Whether a watcher ended the training, or so many epochs as patience allows brought nothing better."""
        return self.ended or (self.patience is not None and self.epoch - self.best_epoch >= self.patience)

    def note(self, epoch: int, metrics: Mapping[str, float], model: nn.Module) -> None:
        """Take in the end of an epoch."""
        self.epoch, self.metrics = epoch, dict(metrics)
        self.history.append(self.metrics)
        score = self._score(metrics)
        if score > self.best_score:
            self.best_epoch, self.best_score, self.best_metrics = epoch, score, dict(metrics)
            if self.keep != "last":
                self.best_weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def _score(self, metrics: Mapping[str, float]) -> float:
        if self.keep == "worst-class":
            return metrics.get("worst_class_accuracy", -math.inf)
        return metrics.get("robust_accuracy", metrics.get("clean_accuracy", -math.inf))

    def settle(self, model: nn.Module) -> dict[str, float]:
        """Give the model the weights that were kept; their metrics, and how many epochs were trained."""
        if self.keep != "last":
            model.load_state_dict(self.best_weights)
        kept = self.metrics if self.keep == "last" else self.best_metrics
        return {**kept, "epochs": float(self.epoch)}

    def facts(self) -> dict[str, Any]:
        """Everything but the weights, as JSON."""
        return {
            "epoch": self.epoch,
            "ended": self.ended,
            "metrics": self.metrics,
            "best_epoch": self.best_epoch,
            "best_score": self.best_score if self.best_epoch else None,
            "best_metrics": self.best_metrics,
            "history": self.history,
        }

    def restore(self, facts: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        """Go on where `facts` and the kept weights were taken."""
        self.epoch, self.metrics, self.ended = facts["epoch"], dict(facts["metrics"]), facts["ended"]
        self.best_epoch, self.best_metrics = facts["best_epoch"], dict(facts["best_metrics"])
        self.best_score = -math.inf if facts["best_score"] is None else facts["best_score"]
        self.best_weights = dict(weights)
        self.history = [dict(metrics) for metrics in facts["history"]]
