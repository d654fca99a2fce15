"""A small model of language, against shares counted by hand."""

import math

import pytest
import torch

from advorch.kit.evaluation.language import Trigrams, overlap, sentences, unique_share, words

TEXTS = [(4, 5, 2), (4, 6, 2), (4, 5, 5, 2)]


def test_shares_are_those_of_the_counts() -> None:
    model = Trigrams(TEXTS, 10)
    # after (4, 5): 2 once, 5 once; after 5: 2 twice, 5 once; of all 10 words three are 2
    wanted = 0.6 * 1 / 2 + 0.3 * 2 / 3 + 0.09 * 3 / 10 + 0.01 / 10
    assert model.share((4, 5), 2) == pytest.approx(wanted)
    # after (9, 9) nothing was seen, nor after 9: what they would have weighed goes to all words
    assert model.share((9, 9), 4) == pytest.approx((0.6 + 0.3 + 0.09) * 3 / 10 + 0.01 / 10)


def test_shares_sum_to_one_after_any_words() -> None:
    model = Trigrams(TEXTS, 10)
    for history in ((-1, -1), (4, 5), (5, 9), (9, 9)):
        assert math.fsum(model.share(history, word) for word in range(10)) == pytest.approx(1)
    assert math.fsum(Trigrams([], 7).share((1, 2), word) for word in range(7)) == pytest.approx(1)


def test_perplexity_is_low_for_what_was_counted_and_that_of_chance_without_counts() -> None:
    model = Trigrams(TEXTS, 10)
    assert model.perplexity(TEXTS) < 3 < model.perplexity([(6, 5, 4, 2)])
    assert Trigrams([], 7).perplexity([(1, 2, 3)]) == pytest.approx(7)


def test_overlap_counts_words_as_often_as_both_have_them() -> None:
    assert overlap((4, 5, 6, 2), (4, 5, 6, 2)) == 1
    assert overlap((4, 5, 6, 2), (7, 8, 2)) == 0
    assert overlap((4, 4, 5, 2), (4, 6, 2)) == pytest.approx(1 / 3)
    assert overlap((2,), (2,)) == 1


def test_rows_become_sentences_and_are_read() -> None:
    texts = sentences(torch.tensor([[4, 5, 2, 0], [4, 5, 2, 0], [2, 0, 0, 0]]))
    assert texts == [(4, 5, 2), (4, 5, 2), (2,)]
    assert unique_share(texts) == pytest.approx(2 / 3)
    assert words(texts[0], ("p", "s", "e", "u", "good", "food")) == "good food"
