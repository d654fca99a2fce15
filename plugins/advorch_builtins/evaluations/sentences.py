"""Generated sentences by small models of language, which are counted here: nothing was trained elsewhere.

Forward: a model of the data is surprised by what is not the data's language. Reverse: a model of the samples is
surprised by data that the samples leave out, so that a generator with few sentences shows (Zhao et al. 2018,
arXiv:1706.04223).
"""

from collections.abc import Mapping

from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings, Look, Table
from advorch.kit.evaluation.language import Sentence, Trigrams, sentences, unique_share, words
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.catalog_text import SentencesParams
from advorch_builtins.evaluations.halves import thirds

_CAPTION = (
    "Perplexities of models of three words, of as many sentences each; the floor is between two halves of the data. "
    "Not to be compared with perplexities of other models or vocabularies."
)
_COLUMNS = ("sentences", "forward", "reverse", "unique", "empty")


class Sentences:
    """Batches are of generated sentences."""

    def map(self, subject: Subject, batch: Data, params: SentencesParams) -> Mapping[str, Tensor]:
        """The words themselves."""
        return {"words": as_words(batch)}

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: SentencesParams) -> Findings:
        """Samples and data, both against other data."""
        chosen = thirds(len(subject.walked), len(subject.data), len(subject.data))
        size = int(max(subject.data.x.max(), rows["words"].max())) + 1
        data = as_words(subject.data)
        drawn, real, other = (
            sentences(part) for part in (rows["words"][chosen.drawn], data[chosen.real], data[chosen.other])
        )
        found, floor = _measured(drawn, real, size), _measured(other, real, size)
        table = Table(
            _COLUMNS,
            (("generated", *found.values()), ("real (the floor)", *floor.values())),
            _CAPTION,
            Look(shares=frozenset({"unique", "empty"})),
        )
        read = Table(("generated",), tuple((words(text, subject.data.vocabulary),) for text in drawn[: params.shown]))
        floors = {f"{name}_floor": floor[name] for name in ("forward", "reverse", "unique")}
        return Findings(
            metrics=found | floors,
            tables={"Sentences": table, "To read": read},
            notes=[f"{chosen.size:,} sentences of each kind; those to read are the first of them."],
        )


def _measured(drawn: list[Sentence], real: list[Sentence], size: int) -> dict[str, float]:
    return {
        "forward": Trigrams(real, size).perplexity(drawn),
        "reverse": Trigrams(drawn, size).perplexity(real),
        "unique": unique_share(drawn),
        "empty": sum(len(text) <= 1 for text in drawn) / len(drawn),
    }


def as_words(data: Data) -> Tensor:
    """Word numbers; an error where the samples are none."""
    if data.x.is_floating_point() or data.x.dim() != 2:
        raise StageFailed("the samples are no sentences", error_class=ErrorClass.USER, hint="such as `sentences` are")
    return data.x
