"""Sentences as word numbers."""

from pathlib import Path

import pytest
import torch

from advorch.errors import StageFailed
from advorch_builtins.datasets import sentences
from advorch_builtins.datasets.catalog_sentences import SENTENCES, SentencesParams
from advorch_builtins.datasets.sentences import END, PAD, UNKNOWN


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "bad").write_text("the food was bad .\nbad , bad food\n\n")
    (tmp_path / "good").write_text("the food was good .\n")
    (tmp_path / "bad.test").write_text("the soup was bad .\n")
    (tmp_path / "good.test").write_text("good good good good good good good\n")
    return tmp_path


def params(root: Path, **others: object) -> SentencesParams:
    values = {"root": str(root), "train": ["bad", "good"], "test": ["bad.test", "good.test"], "length": 6}
    return SentencesParams.parse(values | others)


def words(data: sentences.Data, row: int) -> list[str]:
    return [data.vocabulary[number] for number in data.x[row].tolist()]


def test_rows_read_back_as_their_sentences(texts: Path) -> None:
    train = sentences.load(params(texts), "train")
    assert train.x.dtype == torch.int64
    assert words(train, 0) == ["the", "food", "was", "bad", ".", "<end>"]
    assert words(train, 1) == ["bad", ",", "bad", "food", "<end>", "<pad>"]
    assert train.y.tolist() == [0, 0, 1]
    assert train.classes == ("bad", "good")
    assert train.box == (0.0, len(train.vocabulary) - 1)


def test_the_vocabulary_is_that_of_training_by_frequency(texts: Path) -> None:
    test = sentences.load(params(texts), "test")
    assert test.vocabulary[4:7] == ("bad", "food", ".")
    assert test.x[0].tolist()[1] == UNKNOWN
    assert test.x[1].tolist() == [test.vocabulary.index("good")] * 5 + [END]


def test_a_small_vocabulary_keeps_the_most_frequent(texts: Path) -> None:
    train = sentences.load(params(texts, vocabulary=1), "train")
    assert train.vocabulary[4:] == ("bad",)
    assert train.x[2].tolist() == [UNKNOWN] * 5 + [END]
    assert PAD == 0


@pytest.mark.parametrize(
    ("change", "split", "fault"),
    [
        ({"train": ["bad", "none"]}, "train", "none is missing"),
        ({"test": []}, "test", "names 0 files and `train:` 2"),
        ({"classes": ["one"]}, "train", "1 names and `train:` 2 files"),
    ],
)
def test_faults_are_one_line(texts: Path, change: dict[str, object], split: str, fault: str) -> None:
    with pytest.raises(StageFailed, match=fault):
        sentences.load(params(texts, **change), split)


def test_empty_and_undecodable_files_are_named(texts: Path) -> None:
    (texts / "bad").write_text("\n \n")
    with pytest.raises(StageFailed, match="bad: has no sentence"):
        sentences.load(params(texts), "train")
    (texts / "bad").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StageFailed, match="bad: is not UTF-8"):
        sentences.load(params(texts), "train")


@pytest.mark.data
def test_yelp_reads(data_folder: Path) -> None:
    names = {"train": ["sentiment.dev.0", "sentiment.dev.1"], "classes": ["negative", "positive"]}
    given = SentencesParams.parse({"root": str(data_folder / "yelp"), "length": 20, **names})
    train = sentences.load(given, "train")
    assert len(train) == 25278 + 38205
    assert len(train.vocabulary) <= 10_004
    assert (train.x == END).sum(1).eq(1).all()
    assert all(path.is_file() for path in SENTENCES.files(given))
