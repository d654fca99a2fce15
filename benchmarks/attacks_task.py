"""What every contestant is asked to do: one attack with its budget, the same for all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor, nn

CLASSES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One row. `epsilon` is nothing where the smallest perturbation is wanted; `share` is of the samples."""

    name: str
    kind: str
    norm: str = "linf"
    epsilon: float | None = 0.3
    steps: int = 1
    searches: int = 1
    share: float = 1.0

    @property
    def alpha(self) -> float:
        """The length of a step of PGD; MIM's is epsilon over the steps."""
        assert self.epsilon is not None
        return self.epsilon / self.steps * (1.0 if self.kind == "mim" else 2.5)


Attack: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From samples and labels to adversarial samples."""
Contestant: TypeAlias = Callable[[nn.Module, Task], Attack | None]
"""An attack made ready for a model, or nothing where a library has none of this kind."""

FGSM = Task(name="FGSM linf", kind="fgsm")
PGD = Task(name="PGD linf 40", kind="pgd", steps=40)
APGD = Task(name="APGD-CE linf 50", kind="apgd", steps=50)
TASKS = (
    FGSM,
    PGD,
    Task(name="PGD l2 40", kind="pgd", norm="l2", epsilon=2.0, steps=40),
    Task(name="MIM linf 40", kind="mim", steps=40),
    Task(name="DeepFool l2", kind="deepfool", norm="l2", epsilon=None, steps=50, share=0.5),
    Task(name="C&W l2 1x100", kind="cw", norm="l2", epsilon=None, steps=100, share=0.5),
    Task(name="C&W l2 4x40", kind="cw", norm="l2", epsilon=None, steps=40, searches=4, share=0.5),
    APGD,
    Task(name="Square linf 300", kind="square", steps=300, share=0.5),
    Task(name="AutoAttack linf", kind="autoattack", share=0.125),
)
