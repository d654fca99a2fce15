"""The hint of every message about a name: what was probably meant, and what there is."""

import difflib
from collections.abc import Iterable

_LISTED = 20
_COMPARED = 500
_LONGEST = 60  # matching is quadratic in the word, and nobody mistypes a paragraph


def closest(word: str, allowed: Iterable[str]) -> str:
    """The allowed name that looks most like the word, or nothing; of dotted names the last part decides."""
    head, dot, tail = word[:_LONGEST].rpartition(".")
    every = list(allowed)
    beside = [name for name in every if name.rpartition(".")[0] == head] if dot else []
    cut, wanted = (len(head) + 1, tail) if beside else (0, word[:_LONGEST])
    folded = {name[cut:].casefold(): name for name in reversed(_of_like_length(wanted, beside or every, cut))}
    near = difflib.get_close_matches(wanted.casefold(), folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else ""


def _of_like_length(word: str, names: list[str], cut: int) -> list[str]:
    """The names that are worth a comparison; among thousands only a few hundred."""
    if len(names) <= _COMPARED:
        return names
    return [name for name in names if abs(len(name) - cut - len(word)) <= 2][:_COMPARED]


def hint(word: str, allowed: Iterable[str]) -> str:
    """`did you mean 'epsilon'? allowed: epsilon, alpha, steps`, as far as there is something to say."""
    names = list(dict.fromkeys(allowed))
    near = closest(word, names)
    parts = [f"did you mean '{near}'?"] if near else []
    if names:
        parts.append(f"allowed: {listing(names)}")
    return " ".join(parts)


def listing(names: Iterable[str]) -> str:
    """Names in a sentence, cut where nobody would read on."""
    every = list(names)
    shown = ", ".join(every[:_LISTED])
    return f"{shown} and {len(every) - _LISTED} more" if len(every) > _LISTED else shown
