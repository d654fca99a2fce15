"""Evaluations of generated sentences, described."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, ArtifactType, Count, Evaluation, EvaluationFn, Params, Port
from advorch_builtins.evaluations.ports import SAMPLES_AND_DATA


class SentencesParams(Params):
    """How much generated sentences are like real ones."""

    shown: Annotated[Count, Field(description="sentences in the table")] = 20


class SentenceTransferParams(Params):
    """Whether a sentence was said as another class would, and what is left of it."""

    shown: Annotated[Count, Field(description="pairs in the table, of each direction")] = 10
    longest: Annotated[Count, Field(description="the judge counts words and runs of so many words")] = 2


def _sentences() -> EvaluationFn[SentencesParams]:
    from advorch_builtins.evaluations.sentences import Sentences

    return Sentences()


def _sentence_transfer() -> EvaluationFn[SentenceTransferParams]:
    from advorch_builtins.evaluations.sentence_transfer import SentenceTransfer

    return SentenceTransfer()


COMPONENTS: tuple[AnyComponent, ...] = (
    Evaluation(
        name="sentences",
        summary="Generated sentences against real ones: perplexity both ways, how many differ, and some to read",
        params=SentencesParams,
        load=_sentences,
        ports=SAMPLES_AND_DATA,
        metrics=frozenset({"forward", "forward_floor", "reverse", "reverse_floor", "unique", "unique_floor", "empty"}),
    ),
    Evaluation(
        name="sentence-transfer",
        summary="Sentences said as another class: how many a judge takes for it, what is left of them, pairs to read",
        params=SentenceTransferParams,
        load=_sentence_transfer,
        ports={**SAMPLES_AND_DATA, "judged_by": Port(ArtifactType.DATASET)},
        metrics=frozenset({"flipped", "overlap", "copied", "judge_accuracy"}),
    ),
)
