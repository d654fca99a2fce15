"""S12 and S13: does the model draw, and is the mean gradient of its draws worth something?"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.kit.attack.loop import ascend
from advorch.kit.attack.objectives import log_odds
from advorch.kit.attack.surveys import averaged
from advorch.kit.attack.verdict import judged_logits
from advorch_builtins.evaluations.sanity.attempts import ascent
from advorch_builtins.evaluations.sanity.check import Check, Evidence, Result, absent, failed, judged, passed
from advorch_builtins.evaluations.sanity.probe import Probe

_DRAWS = 10  # gradients in one mean
_ALIKE = 0.5  # cosine of two means, below which they are mostly noise


class Frozen(nn.Module):
    """A model that draws the same at every call: its randomness as an attacker would know it afterwards."""

    def __init__(self, module: nn.Module, seed: int) -> None:
        super().__init__()
        self.module = module
        self._seed = seed

    def forward(self, x: Tensor) -> Tensor:
        torch.manual_seed(self._seed)
        logits: Tensor = self.module(x)
        return logits


def _draws(probe: Probe) -> Mapping[str, Tensor]:
    return {"draws": probe.constant(probe.random)}


def _deterministic(evidence: Evidence) -> Result:
    if not evidence.says("draws"):
        return passed("five forward passes of one sample agree")
    aware = [duel.set.label for duel in evidence.standing.own if averages(duel.set.samples.settings)]
    why = "five forward passes of one sample differ"
    if aware:
        return passed(f"{why}, and {aware[0]} averages over its draws")
    return failed(f"{why}, and no attack that was run averages over its draws")


def averages(settings: Mapping[str, object]) -> bool:
    """Whether a set's attack took the mean of several gradients."""
    draws = settings.get("draws")
    return isinstance(draws, int) and draws > 1 and "steps" in settings


def _mean_gradients(probe: Probe) -> Mapping[str, Tensor]:
    """Only of a model that draws: two means of gradients, and attacks with the randomness known and unknown."""
    if not probe.random or not len(probe.right):
        return {name: probe.constant(torch.nan) for name in _COLUMNS}
    data, victim = probe.attacked, probe.victim()
    slope, rng = averaged(_DRAWS), probe.draws("mean")
    first, second = (slope(victim, data.x, data.y, log_odds, rng).gradient.flatten(1) for _ in range(2))
    recipe = ascent(probe.params.steps, probe.params.norm)
    mean = ascend(victim, data.x, data.y, replace(recipe, slope=slope), rng)
    frozen = Frozen(probe.module, probe.params.seed)
    known = ascend(victim.replaced_by(frozen), data.x, data.y, recipe, rng)
    fooled = judged_logits(frozen, known).argmax(1).ne(data.y)
    values = (functional.cosine_similarity(first, second), probe.judge(mean).fooled, fooled)
    return {name: probe.spread(column) for name, column in zip(_COLUMNS, values, strict=True)}


def _stable(evidence: Evidence) -> Result:
    if not evidence.says("draws"):
        return absent("the model does not draw")
    cosine, mean, known = (evidence.column(name) for name in _COLUMNS)
    alike = float(cosine.median())
    why = (
        f"two means of {_DRAWS} gradients have a cosine of {alike:.2f}; with the draws known {known.mean():.1%} fall, "
        f"averaging over them {mean.mean():.1%}"
    )
    return judged(alike >= _ALIKE, why)


_COLUMNS = ("cosine of means", "fooled by means", "fooled when frozen")

CHECKS = (
    Check(
        id="S12",
        asks="Is the model deterministic, or attacked as random?",
        judge=_deterministic,
        remedy="Attack the mean over its draws (eot-pgd), report how many were averaged, and judge over several draws. "
        "If randomness was not meant: dropout or noise is on in evaluation mode.",
        columns=("draws",),
        measure=_draws,
    ),
    Check(
        id="S13",
        asks="Is the mean gradient stable?",
        judge=_stable,
        remedy="Average over more draws, until two means agree.",
        columns=("draws", *_COLUMNS),
        measure=lambda probe: {**_draws(probe), **_mean_gradients(probe)},
        gradient=True,
    ),
)
