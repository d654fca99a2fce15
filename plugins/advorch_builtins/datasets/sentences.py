"""Sentences as word numbers."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from advorch.api import ErrorClass, StageFailed, expand
from advorch.kit.data import Data
from advorch_builtins.datasets.catalog_sentences import SentencesParams
from advorch_builtins.datasets.reading import check_split, malformed, read_bytes

MARKS = ("<pad>", "<start>", "<end>", "<unknown>")
PAD, START, END, UNKNOWN = range(4)
_WHERE = "put one text file a class, one sentence a line, into `root` and name them under `train:` and `test:`"


def load(params: SentencesParams, split: str) -> Data:
    """One split; a row is the words' numbers, an end mark and padding; the box spans the vocabulary."""
    train = [read_lines(expand(params.root) / name) for name in params.train]
    words = vocabulary((line for lines in train for line in lines), params.vocabulary)
    texts = train if check_split(split) == "train" else held_out_lines(params)
    number = {word: index for index, word in enumerate(words)}
    rows = [encode(line, number, params.length) for lines in texts for line in lines]
    y = torch.tensor([label for label, lines in enumerate(texts) for _ in lines])
    return Data(
        x=torch.tensor(rows),
        y=y,
        ids=torch.arange(len(rows)),
        classes=class_names(params),
        box=(0.0, float(len(words) - 1)),
        vocabulary=words,
    )


def held_out_lines(params: SentencesParams) -> list[list[str]]:
    """The test sentences by class."""
    if len(params.test) != len(params.train):
        hint = "name one file a class, in the same order"
        message = f"`test:` names {len(params.test)} files and `train:` {len(params.train)}"
        raise StageFailed(message, error_class=ErrorClass.USER, hint=hint)
    return [read_lines(expand(params.root) / name) for name in params.test]


def class_names(params: SentencesParams) -> tuple[str, ...]:
    """The names given, or the training files'."""
    names = params.classes or params.train
    if len(names) != len(params.train):
        hint = "name one class a file, in the same order"
        message = f"`classes:` has {len(names)} names and `train:` {len(params.train)} files"
        raise StageFailed(message, error_class=ErrorClass.USER, hint=hint)
    return tuple(names)


def read_lines(path: Path) -> list[str]:
    """The sentences of one file, blank lines left out."""
    try:
        text = read_bytes(path, _WHERE).decode()
    except UnicodeDecodeError as error:
        raise malformed(path, f"is not UTF-8 text ({error})") from error
    if not (lines := [line for line in text.splitlines() if line.strip()]):
        raise malformed(path, "has no sentence")
    return lines


def vocabulary(lines: Iterable[str], size: int) -> tuple[str, ...]:
    """The marks, then the most frequent words; words of equal frequency stand in alphabetical order."""
    counts = Counter(word for line in lines for word in line.split())
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return MARKS + tuple(word for word in ranked if word not in MARKS)[:size]


def encode(line: str, number: dict[str, int], length: int) -> Sequence[int]:
    """Word numbers cut to leave room for the end mark, then padding."""
    words = [number.get(word, UNKNOWN) for word in line.split()][: length - 1]
    return [*words, END, *[PAD] * (length - 1 - len(words))]
