"""What is known of clean samples and asked for again: the set around them, and what the model says of them."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from advorch.kit.attack.logits import check_logits
from advorch.kit.attack.threat_set import ThreatSet


class Around(NamedTuple):
    """The threat set around one tensor of samples, as it was then."""

    x: Tensor
    version: int
    epsilon: float | Tensor
    ball: ThreatSet

    @classmethod
    def these(cls, x: Tensor, epsilon: float | Tensor, ball: ThreatSet) -> "Around":
        """Of samples that nobody has changed yet."""
        return cls(x, _version(x), epsilon, ball)

    def is_of(self, x: Tensor, epsilon: float | Tensor) -> bool:
        """Whether these are the same samples, unchanged, and the same epsilon."""
        return x is self.x and epsilon is self.epsilon and _version(x) == self.version


class FirstLook(NamedTuple):
    """What a module said of clean samples, with the graph, for whoever climbs from the samples themselves."""

    module: nn.Module
    point: Tensor
    logits: Tensor

    @classmethod
    def at(cls, module: nn.Module, point: Tensor, batch: int) -> "FirstLook":
        """So many samples at a time, in the model's own precision; with the graph where the point wants one."""
        with torch.set_grad_enabled(point.requires_grad), torch.autocast(point.device.type, enabled=False):
            logits = [check_logits(module(part), len(part)) for part in torch.split(point, max(1, batch))]
        return cls(module, point, torch.cat(logits))

    def covers(self, module: nn.Module, z: Tensor, rows: Tensor | None) -> bool:
        """Whether these are samples of it, under the same model, in the model's own precision."""
        if module is not self.module or torch.is_autocast_enabled(z.device.type) or not self.logits.requires_grad:
            return False
        return torch.equal(self.point.detach() if rows is None else self.point.detach()[rows], z)


def _version(x: Tensor) -> int:
    """How often it was changed in place; inference tensors do not count."""
    return -1 if x.is_inference() else x._version
