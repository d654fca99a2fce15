"""What a check is: a question, what it measures sample by sample, and a verdict on what was measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import torch
from torch import Tensor

from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.catalog_sanity import SanityParams
from advorch_builtins.evaluations.sanity.probe import Probe
from advorch_builtins.evaluations.verdicts import Standing


class Verdict(StrEnum):
    """What a check says."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Result:
    """A verdict, and the numbers behind it."""

    verdict: Verdict
    why: str


def passed(why: str) -> Result:
    """Nothing was found."""
    return Result(Verdict.PASS, why)


def failed(why: str) -> Result:
    """Something was found that has to be mended before the numbers can be believed."""
    return Result(Verdict.FAIL, why)


def absent(why: str) -> Result:
    """The question cannot be asked here."""
    return Result(Verdict.NOT_APPLICABLE, why)


def judged(good: bool, why: str) -> Result:
    """The same words either way."""
    return passed(why) if good else failed(why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that was measured of one model; rows are of the probed samples, and NaN where nothing applies."""

    rows: Mapping[str, Tensor]
    standing: Standing
    subject: Subject
    params: SanityParams
    probed: Tensor
    results: dict[str, Result] = field(default_factory=dict)

    def column(self, name: str) -> Tensor:
        """The values of those samples that have one."""
        values = self.rows[name]
        return values[~values.isnan()]

    def flags(self, name: str) -> Tensor:
        """The same of a column of truth values."""
        return self.column(name) > 0.5

    def says(self, name: str) -> bool:
        """A property of the model itself, which every sample repeats."""
        return bool(self.flags(name).any())

    def fooled(self, attempt: str) -> Tensor:
        """Whom an attempt fooled, of the samples that were right before."""
        return self.flags(attempt)

    def fell(self, *attempts: str) -> Tensor:
        """Over all samples, whom at least one of some attempts fooled; those that were not made count for nobody."""
        return torch.stack([self.rows[name] > 0.5 for name in attempts]).any(0)

    def fooled_by_any(self, *attempts: str) -> Tensor:
        """The same of the samples that were right before."""
        return self.fell(*attempts)[self.rows["right"] > 0.5]

    def few(self, count: int, total: int) -> bool:
        """Whether so many of so many can be chance."""
        return count <= self.params.tolerance * total

    @property
    def probes(self) -> int:
        """How many samples were probed, the wrong ones included."""
        return int(self.probed.sum())


def _nothing(probe: Probe) -> Mapping[str, Tensor]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question to one model.

    `tries` are attempts of the probe whose outcome the verdict reads. `measure` gives further `columns`. A check that
    needs a `gradient` is left out where there is none. Some have a vote on whether gradients are masked.
    """

    id: str
    asks: str
    judge: Callable[[Evidence], Result]
    remedy: str
    tries: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    measure: Callable[[Probe], Mapping[str, Tensor]] = _nothing
    gradient: bool = False
    votes: bool = False


def share(count: int, total: int) -> str:
    """So many of so many, in words."""
    return f"{count} of {total} samples"
