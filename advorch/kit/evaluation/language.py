"""Sentences as rows of word numbers: a small model of their language, and counts of what they hold."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from torch import Tensor

Sentence = tuple[int, ...]

# of the three orders, and of all words alike: Jelinek and Mercer's interpolation, with fixed weights
_WEIGHTS = (0.6, 0.3, 0.09, 0.01)
_OUTSIDE = -1  # before a sentence


def sentences(x: Tensor, pad: int = 0) -> list[Sentence]:
    """Rows without their padding."""
    return [tuple(word for word in row if word != pad) for row in x.tolist()]


class Trigrams:
    """The share of each word after the two before it, mixed with those after one and after none."""

    def __init__(self, texts: Iterable[Sentence], vocabulary: int) -> None:
        self._vocabulary = vocabulary
        self._counts = [Counter[Sentence](), Counter[Sentence](), Counter[Sentence]()]
        self._before = [Counter[Sentence](), Counter[Sentence](), Counter[Sentence]()]
        for text in texts:
            for history, word in _steps(text):
                for order in range(3):
                    self._counts[order][(*history[order:], word)] += 1
                    self._before[order][history[order:]] += 1

    def share(self, history: Sentence, word: int) -> float:
        """The probability of a word after two others; over all words they sum to one."""
        total, left = _WEIGHTS[3] / self._vocabulary, 0.0
        for order in range(3):
            weight = _WEIGHTS[order] + left
            seen = self._before[order][history[order:]]
            if seen:
                total, left = total + weight * self._counts[order][(*history[order:], word)] / seen, 0.0
            else:
                left = weight  # goes to the next shorter history
        return total + left / self._vocabulary

    def perplexity(self, texts: Sequence[Sentence]) -> float:
        """The exponential of the mean surprise at a word, end marks among them."""
        surprises = [-math.log(self.share(history, word)) for text in texts for history, word in _steps(text)]
        return math.exp(math.fsum(surprises) / len(surprises)) if surprises else math.inf


def _steps(text: Sentence) -> Iterable[tuple[Sentence, int]]:
    before = (_OUTSIDE, _OUTSIDE)
    for word in text:
        yield before, word
        before = (before[1], word)


def unique_share(texts: Sequence[Sentence]) -> float:
    """Different sentences among all."""
    return len(set(texts)) / max(1, len(texts))


def overlap(first: Sentence, second: Sentence, marks: int = 4) -> float:
    """Words in common, each as often as both have it, over those of the longer; marks do not count."""
    one, other = (Counter(word for word in text if word >= marks) for text in (first, second))
    longer = max(one.total(), other.total())
    return (one & other).total() / longer if longer else 1.0


def words(text: Sentence, vocabulary: Sequence[str], end: int = 2) -> str:
    """As it is read."""
    return " ".join(vocabulary[word] if vocabulary else str(word) for word in text if word != end)
