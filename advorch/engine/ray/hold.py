"""What workers hold of a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hold:
    """What a worker holds of the cluster while it exists, and whether it keeps apart from others of its kind."""

    cpu: float
    gpu: float
    memory: float = 0
    placement: str = "pack"

    @classmethod
    def of(cls, amounts: Mapping[str, float]) -> "Hold":
        """By the names of resources: what a node has, what a request names."""
        return cls(amounts.get("cpu", 0.0), amounts.get("gpu", 0.0), amounts.get("memory", 0.0))

    def plus(self, other: "Hold") -> "Hold":
        """Both together."""
        return Hold(self.cpu + other.cpu, self.gpu + other.gpu, self.memory + other.memory)

    def minus(self, other: "Hold") -> "Hold":
        """What is left when the other is taken away."""
        return Hold(self.cpu - other.cpu, self.gpu - other.gpu, self.memory - other.memory)

    def fits(self, free: "Hold") -> bool:
        """Whether there is so much; sums of fractions may be off by a little."""
        return all(
            need <= have + 1e-9
            for need, have in ((self.cpu, free.cpu), (self.gpu, free.gpu), (self.memory, free.memory))
        )

    def resources(self) -> dict[str, float]:
        """In Ray's words, without what is not asked for."""
        amounts = {"CPU": self.cpu, "GPU": self.gpu, "memory": self.memory}
        return {name: amount for name, amount in amounts.items() if amount}
