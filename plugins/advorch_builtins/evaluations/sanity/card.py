"""The robustness card: accuracies, the verdict on masked gradients, and what every check said."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.statistics import Proportion, proportion
from advorch_builtins.evaluations.robustness_card import COLUMNS, LOOK, TITLE
from advorch_builtins.evaluations.sanity.attempts import ATTEMPTS
from advorch_builtins.evaluations.sanity.check import Check, Evidence, Result, Verdict
from advorch_builtins.evaluations.sanity.figure import grid
from advorch_builtins.evaluations.verdicts import worst_of

_WITHIN = [name for name in ATTEMPTS if name not in ("nothing", "half box", "whole box")]
_SUSPECTED, _MASKED = 2, 4  # votes


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One model with its verdicts, by the number of the check."""

    evidence: Evidence
    results: Mapping[str, tuple[Check, Result]]

    @property
    def label(self) -> str:
        """The model's."""
        return self.evidence.standing.model.label

    def count(self, verdict: Verdict) -> int:
        """How many checks said so."""
        return sum(result.verdict is verdict for _, result in self.results.values())

    @property
    def clean(self) -> Proportion:
        """Of all samples."""
        return proportion(self.evidence.standing.correct)

    @property
    def probed(self) -> Proportion:
        """Samples that every probe within epsilon left standing."""
        stands = self.evidence.rows["right"] > 0.5
        for name in _WITHIN:
            if name in self.evidence.rows:
                stands = stands & ~(self.evidence.rows[name] > 0.5)
        return Proportion(int(stands.sum()), self.evidence.probes)

    @property
    def reported(self) -> Proportion | None:
        """What the run's own attacks leave."""
        worst = worst_of(self.evidence.standing.own)
        return worst.accuracy if worst else None

    def voters(self) -> list[tuple[Check, Result]]:
        """Checks with a vote on masking that could be asked."""
        found = self.results.values()
        return [(check, result) for check, result in found if check.votes and result.verdict is not _ABSENT]

    def votes(self) -> list[str]:
        """Those that say masked."""
        return [check.id for check, result in self.voters() if result.verdict is Verdict.FAIL]

    def masking(self) -> str:
        """In words, with the count."""
        votes, voters = self.votes(), len(self.voters())
        if not self.evidence.says("differentiable"):
            return f"gradients are masked: there are none ({len(votes)} of {voters} votes)"
        if not voters:
            return "masking was not examined: none of its checks was asked, or could be"
        count = f"{len(votes)} of {voters} votes{': ' if votes else ''}{', '.join(votes)}"
        if len(votes) >= _MASKED:
            return f"gradients are masked ({count})"
        if len(votes) >= _SUSPECTED:
            return f"masked gradients are suspected ({count})"
        return f"{'one sign' if votes else 'no sign'} of masked gradients ({count})"


_ABSENT = Verdict.NOT_APPLICABLE


def findings(cards: Sequence[Card]) -> Findings:
    """The card first, what failed in words, every check in a table."""
    return Findings(
        metrics=_metrics(cards),
        tables={TITLE: _summary(cards), "Checks": _checks(cards)},
        figures={"Checks by model": partial(grid, [(card.label, card.results) for card in cards])},
        notes=[note for card in cards for note in _notes(card)],
    )


def _metrics(cards: Sequence[Card]) -> dict[str, float]:
    return metrics_by_label([card.label for card in cards], [_of(card) for card in cards])


def _of(card: Card) -> dict[str, float]:
    return {
        "clean_accuracy": card.clean.value,
        "robust_accuracy": card.probed.value,
        "checks_passed": float(card.count(Verdict.PASS)),
        "checks_failed": float(card.count(Verdict.FAIL)),
        "masking_votes": float(len(card.votes())),
    }


def _summary(cards: Sequence[Card]) -> Table:
    rows = tuple(
        (card.label, *_bounded(card.clean), *_bounded(card.reported), *_bounded(card.probed),
         *(card.count(verdict) for verdict in Verdict), card.masking())
        for card in cards
    )  # fmt: skip
    threat = cards[0].evidence.params if cards else None
    ball = f"{threat.norm.value} epsilon {threat.epsilon:g}" if threat else ""
    caption = (
        f"Accuracies: of all samples, of those that the run's own attacks tried, and of the first "
        f"{cards[0].evidence.probes if cards else 0} under all probes of the checks together ({ball})."
    )
    return Table(COLUMNS, rows, caption, LOOK)


def _bounded(accuracy: Proportion | None) -> tuple[Value, ...]:
    return (None, None, None) if accuracy is None else accuracy.bounded


def _checks(cards: Sequence[Card]) -> Table:
    rows = tuple(
        (check.id, check.asks, card.label, result.verdict.value, result.why, _remedy(check, result))
        for number in dict.fromkeys(number for card in cards for number in card.results)
        for card in cards
        for check, result in [card.results[number]]
    )
    caption = "S2, S4, S5, S7, S8, S10, S16 and S17 vote on masked gradients."
    return Table(("check", "question", "model", "verdict", "why", "what to do"), rows, caption, Look(folded=True))


def _remedy(check: Check, result: Result) -> str | None:
    return check.remedy if result.verdict is Verdict.FAIL else None


def _notes(card: Card) -> Iterator[str]:
    """The verdict, then what failed with what to do about it."""
    yield f"{card.label}: {card.masking()}."
    for check, result in card.results.values():
        if result.verdict is Verdict.FAIL:
            yield f"{card.label}, {check.id} {check.asks} No: {result.why}. {check.remedy}"
