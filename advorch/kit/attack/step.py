"""Where an ascent stands: what its replaceable parts are given at every step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.threat_set import ThreatSet

Memory: TypeAlias = dict[str, Tensor]


@dataclass(slots=True, kw_only=True)
class Step:
    """One step of all samples; what a part puts into `memory` has one row a sample and follows it through the loop."""

    number: int
    z: Tensor
    value: Tensor
    gradient: Tensor
    ball: ThreatSet
    rng: Draws
    memory: Memory


Start: TypeAlias = Callable[[ThreatSet, Draws], Tensor]
Direction: TypeAlias = Callable[[Step], Tensor]
Schedule: TypeAlias = Callable[[Step], Tensor]
