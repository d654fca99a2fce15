"""Accuracy against epsilon, from attacks that were given several: who falls at one has fallen at every larger one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from advorch.kit.evaluation.curves import Axis, Panel, accuracy_curve, curves
from advorch.kit.evaluation.findings import Look, Table, Value
from advorch.kit.evaluation.statistics import Proportion, proportion, worst_case
from advorch_builtins.evaluations.recorded import epsilons_of, fell_at
from advorch_builtins.evaluations.verdicts import Duel, Standing

WORST = "worst case"
_MANY_ROWS = 24
_CAPTION = (
    "An adversarial sample counts from the epsilon on at which its attack found it, if it still fools and lies within; "
    "whoever falls stays fallen. Zero is the clean accuracy. The bands of the figure are these 95% intervals (Wilson)."
)


@dataclass(frozen=True, slots=True)
class EpsilonCurve:
    """Which of the covered samples are right at each epsilon, of one attack or of several together."""

    name: str
    norm: str
    epsilons: tuple[float, ...]
    accuracies: tuple[Proportion, ...]


def epsilon_curves(standing: Standing) -> list[EpsilonCurve]:
    """One for each attack with several epsilons, and the worst case over those of one norm, where they are several."""
    duels = [duel for duel in standing.own if epsilons_of(duel)]
    found = [_curve(duel.set.label, standing, [duel]) for duel in duels]
    for norm in dict.fromkeys(duel.set.norm for duel in duels):
        together = [duel for duel in duels if duel.set.norm is norm]
        if len(together) > 1:
            worst = _curve(f"{WORST} {norm.value}", standing, together)
            found += [worst] if worst.epsilons else []
    return found


def _curve(name: str, standing: Standing, duels: Sequence[Duel]) -> EpsilonCurve:
    """At the epsilons that all of them know about: up to the smallest of their largest ones."""
    covered = worst_case([duel.covered for duel in duels])
    last = min(epsilons_of(duel)[-1] for duel in duels)
    tried = sorted({epsilon for duel in duels for epsilon in epsilons_of(duel) if epsilon <= last} | {0.0})
    epsilons = tuple(tried) if bool(covered.any()) else ()
    accuracies = [proportion(_standing_at(standing, duels, epsilon)[covered]) for epsilon in epsilons]
    return EpsilonCurve(name, duels[0].set.norm.value, epsilons, tuple(accuracies))


def _standing_at(standing: Standing, duels: Sequence[Duel], epsilon: float) -> Tensor:
    return standing.correct & torch.stack([fell_at(duel) > epsilon for duel in duels]).all(0)


def curve_table(found: Sequence[Standing]) -> Table | None:
    """Every point of every curve; None where no attack was given several epsilons."""
    rows = tuple(row for standing in found for row in _rows(standing))
    if not rows:
        return None
    look = Look(
        shares=frozenset({"accuracy", "low", "high"}),
        intervals=(("accuracy", "low", "high"),),
        folded=len(rows) > _MANY_ROWS,
    )
    return Table(("model", "attack", "epsilon", "accuracy", "low", "high", "samples"), rows, _CAPTION, look)


def _rows(standing: Standing) -> Iterator[tuple[Value, ...]]:
    for curve in epsilon_curves(standing):
        for epsilon, accuracy in zip(curve.epsilons, curve.accuracies, strict=True):
            interval = accuracy.interval()
            names = (standing.model.label, curve.name)
            yield (*names, epsilon, accuracy.value, interval.low, interval.high, accuracy.total)


def norms_of(found: Sequence[Standing]) -> list[str]:
    """The norms that there are curves in: sizes of different norms share no axis."""
    return list(dict.fromkeys(curve.norm for standing in found for curve in epsilon_curves(standing)))


def curve_figure(found: Sequence[Standing], norm: str) -> bytes:
    """A panel a model, a line an attack, with bands of 95%."""
    panels = {standing.model.label: _panel(standing, norm) for standing in found}
    lines = {line for panel in panels.values() for line in panel}
    alone = f" under {next(iter(lines))}" if len(lines) == 1 and len(panels) > 1 else ""
    shown = {f"{name}{alone}": panel for name, panel in panels.items() if panel}
    return curves(shown, Axis(label=f"epsilon ({norm})"), Axis(label="accuracy", share=True))


def compared_figure(found: Sequence[Standing], norm: str) -> bytes:
    """The same the other way round: a panel an attack, a line a model."""
    return curves(compared(found, norm), Axis(label=f"epsilon ({norm})"), Axis(label="accuracy", share=True))


def compared(found: Sequence[Standing], norm: str) -> dict[str, Panel]:
    """By attack, the curves of the models that it was made for."""
    panels = {standing.model.label: _panel(standing, norm) for standing in found}
    attacks = dict.fromkeys(attack for panel in panels.values() for attack in panel)
    return {attack: {label: panel[attack] for label, panel in panels.items() if attack in panel} for attack in attacks}


def _panel(standing: Standing, norm: str) -> Panel:
    return {
        _short(curve): accuracy_curve(curve.epsilons, curve.accuracies)
        for curve in epsilon_curves(standing)
        if curve.norm == norm
    }


def _short(curve: EpsilonCurve) -> str:
    """The largest epsilon is where the line ends, and the norm is on the axis."""
    return " ".join(curve.name.replace(f" eps {curve.epsilons[-1]:g}", "").replace(f" {curve.norm}", "").split())
