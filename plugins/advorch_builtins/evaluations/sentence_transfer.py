"""Sentences in another class: the share that changed it, always beside what was kept.

A decoder that passes over its input changes every class; one that copies keeps every word. The judge, a linear model of
words and word pairs, learns from sentences of the port `judged_by`, which nothing else was trained on.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings, Look, Table, Value
from advorch.kit.evaluation.language import Sentence, overlap, sentences, words
from advorch.kit.evaluation.statistics import proportion
from advorch.kit.evaluation.subject import Subject, align
from advorch_builtins.evaluations.catalog_text import SentenceTransferParams
from advorch_builtins.evaluations.sentences import as_words

_COLUMNS = (
    "to", "sentences", "taken for it", "low", "high", "overlap", "copied", "judge right on the originals",
)  # fmt: skip
_CAPTION = (
    "Taken for it: the judge gives the class that was wanted (95% interval). Overlap: words kept, of the longer "
    "sentence. Copied: not one word changed."
)


class SentenceTransfer:
    """Batches are of the sentences that were made, under the ids of those that they were made from."""

    def map(self, subject: Subject, batch: Data, params: SentenceTransferParams) -> Mapping[str, Tensor]:
        """Where each comes from, and what is left of it."""
        place = align(subject.data.ids, batch.ids.cpu())
        if bool((place < 0).any()):
            hint = "connect the data that `generate/transfer` was given"
            raise StageFailed("some sentences were made of none in the data", error_class=ErrorClass.USER, hint=hint)
        pairs = zip(sentences(as_words(batch)), sentences(as_words(subject.data)[place]), strict=True)
        kept = [(overlap(made, given), made == given) for made, given in pairs]
        return {
            "place": place,
            "overlap": torch.tensor([share for share, _ in kept], dtype=torch.float64),
            "copied": torch.tensor([same for _, same in kept]),
        }

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: SentenceTransferParams) -> Findings:
        """In all, and by the class that was wanted."""
        given, made = sentences(subject.data.x[rows["place"]]), sentences(subject.walked.x)
        told = subject.datasets["judged_by"]
        said = _judge(sentences(as_words(told)), told.y, [*given, *made], params.longest)
        right, flipped = said[: len(given)] == subject.data.y[rows["place"]], said[len(given) :] == subject.walked.y
        everywhere = torch.ones_like(flipped)
        groups = {"all": everywhere} | {
            name: subject.walked.y == label for label, name in enumerate(subject.data.classes)
        }
        lines = [_line(name, own, rows, flipped, right) for name, own in groups.items() if bool(own.any())]
        look = Look(shares=frozenset(_COLUMNS[2:5]) | set(_COLUMNS[6:]), intervals=(_COLUMNS[2:5],))
        return Findings(
            metrics={
                "flipped": proportion(flipped).value,
                "overlap": float(rows["overlap"].mean()),
                "copied": proportion(rows["copied"]).value,
                "judge_accuracy": proportion(right).value,
            },
            tables={
                "Transfer": Table(_COLUMNS, tuple(lines), _CAPTION, look),
                "To read": _pairs(subject, given, made, params.shown),
            },
        )


def _line(name: str, own: Tensor, rows: Mapping[str, Tensor], flipped: Tensor, right: Tensor) -> tuple[Value, ...]:
    kept, copied = float(rows["overlap"][own].mean()), proportion(rows["copied"][own]).value
    return (name, int(own.sum()), *proportion(flipped[own]).bounded, kept, copied, proportion(right[own]).value)


def _judge(told: Sequence[Sentence], y: Tensor, asked: Sequence[Sentence], longest: int) -> Tensor:
    """The class of each, by logistic regression on which words and runs of words it has."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    counter = CountVectorizer(
        analyzer="word", tokenizer=str.split, token_pattern=None, lowercase=False, ngram_range=(1, longest), binary=True
    )
    as_text = [" ".join(map(str, text)) for text in told]
    model = LogisticRegression(max_iter=300).fit(counter.fit_transform(as_text), y.numpy())
    return torch.as_tensor(model.predict(counter.transform([" ".join(map(str, text)) for text in asked])))


def _pairs(subject: Subject, given: Sequence[Sentence], made: Sequence[Sentence], shown: int) -> Table:
    """The first of each direction."""
    read = subject.data.vocabulary
    rows = [
        (name, words(given[place], read), words(made[place], read))
        for label, name in enumerate(subject.data.classes)
        for place in (subject.walked.y == label).nonzero().flatten().tolist()[:shown]
    ]
    return Table(("to", "given", "made"), tuple(rows))
