import hashlib

import pytest
import torch

from advorch.kit.evaluation import figures, matrix_figures
from advorch.kit.evaluation.statistics import Proportion


def bars() -> bytes:
    some = [Proportion(9, 10), Proportion(0, 10), None]
    return figures.accuracy_bars(["a", "b", "c"], {"clean": some, "worst case": some}, "class")


def grid(shape: tuple[int, ...]) -> bytes:
    clean = torch.linspace(0, 1, 3 * int(torch.Size(shape).numel())).view(3, *shape)
    return figures.comparison_grid(clean, clean.flip(0), ["a to b"] * 3, (0.0, 1.0))


DRAWINGS = {
    "bars": bars,
    "heat map": lambda: matrix_figures.heat_map(torch.tensor([[3, 1], [0, 0]]), ("a", "$b")),
    "scatter": lambda: figures.scatter({"data": torch.eye(2), "samples": torch.ones(3, 2)}),
    "grey grid": lambda: grid((1, 4, 5)),
    "few classes": lambda: matrix_figures.heat_map(torch.eye(3, dtype=torch.int64) * 4, ("0", "1", "2")),
    "many classes": lambda: matrix_figures.heat_map(
        torch.eye(20, dtype=torch.int64), [f"class {n}" for n in range(20)]
    ),
    "flat grid": lambda: grid((4, 5)),
    "colour grid": lambda: grid((3, 4, 5)),
    "sheet": lambda: figures.sheet(torch.rand(5, 1, 4, 4, generator=torch.Generator().manual_seed(0)), (0.0, 1.0), 3),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawings_are_png_and_byte_identical_twice(name: str) -> None:
    first, second = DRAWINGS[name](), DRAWINGS[name]()
    assert first.startswith(b"\x89PNG")
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


def test_a_picture_says_nothing_of_when_or_with_what_it_was_made() -> None:
    chunks = bars()
    assert b"tEXt" not in chunks
    assert b"tIME" not in chunks
    assert b"atplotlib" not in chunks


def test_a_picture_depends_on_its_values() -> None:
    one = figures.accuracy_bars(["a"], {"x": [Proportion(1, 2)]}, "class")
    assert one != figures.accuracy_bars(["a"], {"x": [Proportion(2, 2)]}, "class")


@pytest.mark.parametrize(
    ("shape", "shown"),
    [((28, 28), True), ((1, 28, 28), True), ((3, 8, 8), True), ((2, 8, 8), False), ((2,), False), ((1, 784), False)],
)
def test_what_can_be_shown_as_an_image(shape: tuple[int, ...], shown: bool) -> None:
    assert figures.is_image(shape) is shown


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("clean", "clean"),
        ("fgsm linf eps 0.15", "fgsm linf\neps 0.15"),
        ("uniform-noise linf eps 0.15", "uniform-noise\nlinf eps 0.15"),
        ("a-name-that-is-longer-than-a-line", "a-name-that-is-longer-than-a-line"),
        ("cost $3", r"cost \$3"),
        ("", ""),
    ],
)
def test_labels_are_broken_into_lines_of_like_length(text: str, lines: str) -> None:
    assert figures.wrapped(text) == lines


def test_pictures_of_any_resolution_have_letters_of_one_size() -> None:
    figure = figures.new_figure(width=5.0, height=2.0)
    assert figures.shown_width(figures.png(figure)) == 5 * 96
