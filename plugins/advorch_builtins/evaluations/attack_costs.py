"""All attacks in one table; adversarials are judged again, and times are measured here."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings, metrics_by_label
from advorch.kit.evaluation.statistics import paired_difference, proportion
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations import attack_costs_parts
from advorch_builtins.evaluations.attack_costs_parts import Versus
from advorch_builtins.evaluations.attack_timing import seconds_of
from advorch_builtins.evaluations.bouts import Bout, Ring, names_of, rings_of, rows_of
from advorch_builtins.evaluations.catalog_measured import AttackCostsParams
from advorch_builtins.evaluations.verdicts import worst_of


class AttackCosts:
    """Batches are of clean samples; each model meets the sets that were made for it."""

    def map(self, subject: Subject, batch: Data, params: AttackCostsParams) -> Mapping[str, Tensor]:
        """Verdicts and lengths."""
        return rows_of(subject, batch, params.measure)

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: AttackCostsParams) -> Findings:
        """A row for each model and attack, and the attacks beside each other."""
        rings = rings_of(subject, rows, params.measure)
        bouts = [bout for ring in rings for bout in ring.bouts]
        if not bouts:
            hint = "connect `attacks: ATTACK[*].adversarial` of attacks on these models"
            raise StageFailed("no set was made for any of the models", error_class=ErrorClass.USER, hint=hint)
        times = [seconds_of(subject, bout, params.timed, params.together) if params.timed else None for bout in bouts]
        duels = [versus(ring, params.versus) for ring in rings] if params.versus else []
        return Findings(
            metrics=_metrics(rings, duels),
            tables=attack_costs_parts.tables(rings, times, duels),
            figures=attack_costs_parts.figures(rings),
            notes=attack_costs_parts.notes(rings, duels, params, subject.device),
        )


def versus(ring: Ring, names: tuple[str, str]) -> Versus:
    """How much more often the first attack fools within epsilon than the second, of the samples that both tried."""
    first, second = (_named(ring, name) for name in names)
    both = first.tried & second.tried
    one, other = (ring.standing.fooled_by(bout.duel)[both] for bout in (first, second))
    share, interval = paired_difference(one, other)
    return Versus(ring.standing.model, names, (proportion(one), proportion(other)), share, interval)


def _named(ring: Ring, name: str) -> Bout:
    """By the name that the tables give it: its label where two attacks of one name were made."""
    named = dict(zip(names_of(ring.bouts), ring.bouts, strict=True))
    if name not in named:
        several = any(bout.name == name for bout in ring.bouts)
        message = f"{'several attacks' if several else 'no attack'} '{name}' {'were' if several else 'was'} made"
        hint = f"its attacks: {', '.join(sorted(named)) or 'none'}"
        raise StageFailed(f"{message} for {ring.standing.model.label}", error_class=ErrorClass.USER, hint=hint)
    return named[name]


def _metrics(rings: Sequence[Ring], duels: Sequence[Versus]) -> dict[str, float]:
    """Plain names for one model; for several, each under the model's own."""
    claims = [_advantage(duel) for duel in duels] or [{} for _ in rings]
    found = [_of_ring(ring) | claim for ring, claim in zip(rings, claims, strict=True)]
    return metrics_by_label([ring.standing.model.label for ring in rings], found)


def _of_ring(ring: Ring) -> dict[str, float]:
    """The smallest of the attacks' mean relative sizes is DeepFool's measure of robustness."""
    standing, worst = ring.standing, worst_of([bout.duel for bout in ring.bouts])
    shares = [share for bout in ring.bouts if (share := bout.mean(bout.share)) is not None]
    return (
        {"clean_accuracy": float(standing.correct.double().mean())}
        | ({"robust_accuracy": worst.accuracy.value} if worst else {})
        | ({"relative_size": min(shares)} if shares else {})
    )


def _advantage(duel: Versus) -> dict[str, float]:
    if not duel.tested:
        return {}
    return {"advantage": duel.share, "advantage_low": duel.interval.low, "advantage_high": duel.interval.high}


__all__ = ["AttackCosts", "versus"]
