"""Small vocabulary: suggestions, durations, sizes."""

import pytest

from advorch.spec.suggest import closest, hint
from advorch.spec.units import seconds, size


@pytest.mark.parametrize(
    ("word", "allowed", "expected"),
    [
        ("epsilom", ["epsilon", "alpha"], "epsilon"),
        ("EPSILON", ["epsilon", "alpha"], "epsilon"),
        ("eps", ["epsilon", "alpha"], "epsilon"),
        ("zzz", ["epsilon", "alpha"], ""),
        ("params.limit", ["params.alpha", "params.epsilon"], ""),
        ("params.epsilom", ["params.alpha", "params.epsilon"], "params.epsilon"),
        ("parms.epsilon", ["params.alpha", "params.epsilon"], "params.epsilon"),
        ("x", [], ""),
    ],
)
def test_what_was_probably_meant(word: str, allowed: list[str], expected: str) -> None:
    assert closest(word, allowed) == expected


def test_hints_say_what_there_is() -> None:
    assert hint("stepz", ["steps", "alpha"]) == "did you mean 'steps'? allowed: steps, alpha"
    assert hint("x", ["steps", "alpha"]) == "allowed: steps, alpha"
    assert hint("x", []) == ""
    assert hint("q", [f"name{n}" for n in range(100)]).endswith(", name19 and 80 more")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", 30), ("2h", 7200), ("500ms", 0.5), ("1d", 86400), ("1h30m", 5400), ("1.5h", 5400), (" 2 h ", 7200),
        ("1w", 604800), ("5min", 300), ("30", None), ("", None), ("h", None), ("1x", None), ("-1s", None),
        ("1h x", None),
    ],
)  # fmt: skip
def test_durations(text: str, expected: float | None) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4GiB", 4 * 2**30), ("512MB", 512_000_000), ("1kB", 1000), ("1KB", 1000), ("1KiB", 1024),
        ("1.5TiB", 3 * 2**39),
        ("10B", 10), ("10", None), ("4G", None), ("GB", None), ("4gb", None), ("1GB1", None),
    ],
)  # fmt: skip
def test_sizes(text: str, expected: int | None) -> None:
    assert size(text) == expected
