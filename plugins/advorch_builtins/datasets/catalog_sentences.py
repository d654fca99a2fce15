"""Text, one file a class, described."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, Count, Dataset, DatasetFn, expand
from advorch_builtins.datasets.catalog import FolderParams


class SentencesParams(FolderParams):
    """Text files, one sentence a line, one file a class."""

    train: Annotated[tuple[str, ...], Field(min_length=1, description="files in root, one a class")]
    test: Annotated[tuple[str, ...], Field(description="files in root, in the same order")] = ()
    classes: Annotated[tuple[str, ...], Field(description="class names; default: the training files' names")] = ()
    length: Annotated[Count, Field(description="tokens kept of a sentence, its end mark included")] = 16
    vocabulary: Annotated[Count, Field(description="most frequent words kept")] = 10_000


def _sentences() -> DatasetFn[SentencesParams]:
    from advorch_builtins.datasets.sentences import load

    return load


SENTENCES = Dataset(
    name="sentences",
    summary="sentences as padded word numbers, one text file a class",
    params=SentencesParams,
    load=_sentences,
    box=None,
    files=lambda params: [expand(params.root) / name for name in (*params.train, *params.test)],
)

COMPONENTS: tuple[AnyComponent, ...] = (SENTENCES,)
