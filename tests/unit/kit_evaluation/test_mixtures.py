import math

import pytest
import torch

from advorch.kit.data import Data
from advorch.kit.evaluation.mixtures import cover, mixture_of


def clusters(per_class: int = 200, classes: int = 4, empty: int | None = None) -> Data:
    rng = torch.Generator().manual_seed(0)
    y = torch.tensor([label for label in range(classes) if label != empty]).repeat(per_class)
    x = torch.stack([10.0 * y, torch.zeros(len(y))], dim=1) + 0.5 * torch.randn(len(y), 2, generator=rng)
    return Data(x=x, y=y, ids=torch.arange(len(y)), classes=tuple(f"mode {label}" for label in range(classes)))


def test_centres_and_deviations_come_from_the_classes() -> None:
    mixture = mixture_of(clusters(2000))
    torch.testing.assert_close(mixture.centres[:, 0], torch.tensor([0.0, 10, 20, 30]).double(), rtol=0, atol=0.05)
    torch.testing.assert_close(mixture.deviations, torch.full((4,), 0.5).double(), rtol=0.05, atol=0)


def test_a_class_without_samples_is_no_mode() -> None:
    assert mixture_of(clusters(empty=1)).classes == (0, 2, 3)


def test_unlabelled_data_is_no_mixture() -> None:
    data = clusters()
    with pytest.raises(ValueError, match="no class"):
        mixture_of(Data(x=data.x, y=torch.full_like(data.y, -1), ids=data.ids, classes=("a",)))


def test_the_data_covers_itself() -> None:
    data = clusters()
    found = cover(data.x, mixture_of(data))
    assert (found.modes, found.of) == (4, 4)
    # Within three deviations of a plane Gaussian lies 1 - exp(-9/2) of it.
    assert found.quality == pytest.approx(1 - math.exp(-4.5), abs=0.01)
    assert found.divergence == pytest.approx(0, abs=0.001)


def test_one_mode_alone_diverges_by_the_logarithm_of_their_number() -> None:
    found = cover(torch.zeros(2500, 2), mixture_of(clusters()))
    assert found.modes == 1
    assert found.divergence == pytest.approx(math.log(4))


def test_twenty_of_twenty_five_hundred_cover_a_mode() -> None:
    mixture = mixture_of(clusters())
    centres = mixture.centres.float()
    for hits, modes in ((19, 1), (20, 2)):
        x = torch.cat([centres[0].repeat(2500 - hits, 1), centres[1].repeat(hits, 1)])
        assert cover(x, mixture).modes == modes


def test_far_samples_are_of_no_quality() -> None:
    found = cover(torch.full((100, 2), 1e3), mixture_of(clusters()))
    assert (found.modes, found.quality, found.divergence) == (0, 0.0, None)
