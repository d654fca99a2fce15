"""Datasets that need no files."""

from typing import Any

import pytest
import torch

from advorch.errors import ErrorClass, StageFailed
from advorch_builtins.datasets import catalog, circles, digits, moons, ring
from advorch_builtins.datasets.plane import plane


def test_digits_split_every_fifth_off_and_lose_none() -> None:
    train, test = (digits.load(catalog.DigitsParams(), split) for split in ("train", "test"))
    assert (len(train), len(test)) == (1438, 359)
    assert sorted([*train.ids.tolist(), *test.ids.tolist()]) == list(range(1797))
    assert train.signature.shape == (1, 8, 8)
    assert train.x.dtype == torch.float32
    assert (float(train.x.min()), float(train.x.max())) == (0.0, 1.0)
    assert len(set(test.y.tolist())) == 10


def test_digits_are_the_bundled_images() -> None:
    from sklearn.datasets import load_digits

    bunch, test = load_digits(), digits.load(catalog.DigitsParams(), "test")
    assert torch.equal(test.x[0, 0].double() * 16, torch.from_numpy(bunch.images[4]))
    assert test.y[0] == bunch.target[4]


def test_unknown_split_is_one_line() -> None:
    with pytest.raises(StageFailed, match="no split 'valid'") as caught:
        digits.load(catalog.DigitsParams(), "valid")
    assert caught.value.error_class is ErrorClass.USER


def test_moons_without_noise_lie_on_half_circles() -> None:
    data = moons.load(catalog.MoonsParams(n=50, noise=0.0), "train")
    centre = torch.tensor([[0.0, 0.0], [1.0, 0.5]])[data.y]
    assert torch.allclose((data.x - centre).norm(dim=1), torch.ones(50), atol=1e-6)
    assert data.box is None


def test_the_middle_of_centred_moons_is_the_origin() -> None:
    where_they_are, centred = (
        moons.load(catalog.MoonsParams(noise=0.0, centred=way), "train").x for way in (False, True)
    )
    assert torch.allclose(where_they_are - centred, torch.tensor([0.5, 0.25]), atol=1e-6)
    assert torch.allclose(centred.amax(0), -centred.amin(0), atol=1e-2)


@pytest.mark.parametrize("uses", [moons, circles])
def test_every_slice_of_balanced_points_has_as_many_of_each_class(uses: Any) -> None:
    kind = catalog.MoonsParams if uses is moons else catalog.CirclesParams
    mixed, in_turns = (uses.load(kind(n=160, balanced=way), "train") for way in (False, True))
    assert [int(part.sum()) for part in in_turns.y.split(16)] == [8] * 10
    assert torch.equal(in_turns.x[in_turns.ids.argsort()], mixed.x)


def test_circles_have_the_factor_between_their_radii() -> None:
    data = circles.load(catalog.CirclesParams(n=50, noise=0.0, factor=0.3), "train")
    assert torch.allclose(data.x.norm(dim=1), torch.tensor([1.0, 0.3])[data.y], atol=1e-6)


def test_splits_differ_and_repeat() -> None:
    params = catalog.MoonsParams(n=20, n_test=20)
    train, again, test = (moons.load(params, split) for split in ("train", "train", "test"))
    assert torch.equal(train.x, again.x)
    assert not torch.equal(train.x, test.x)


def test_embedding_keeps_every_distance() -> None:
    flat = circles.load(catalog.CirclesParams(n=16, n_test=4, dimensions=2), "train")
    deep = circles.load(catalog.CirclesParams(n=16, n_test=4, dimensions=100), "train")
    assert deep.signature.shape == (100,)
    assert torch.allclose(torch.cdist(flat.x, flat.x), torch.cdist(deep.x, deep.x), atol=1e-5)


def test_both_splits_lie_in_one_plane() -> None:
    params = catalog.MoonsParams(n=30, n_test=30, dimensions=50)
    both = torch.cat([moons.load(params, split).x for split in ("train", "test")])
    assert torch.linalg.matrix_rank(both, atol=1e-4) == 2


def test_plane_is_orthonormal() -> None:
    frame = torch.from_numpy(plane(7, seed=3))
    assert torch.allclose(frame @ frame.T, torch.eye(2, dtype=torch.float64))


def test_ring_has_its_modes_where_they_belong() -> None:
    data = ring.load(catalog.RingParams(n=8000), "train")
    assert data.classes[7] == "mode 7"
    for mode, centre in ((0, (2.0, 0.0)), (2, (0.0, 2.0)), (4, (-2.0, 0.0))):
        points = data.x[data.y == mode]
        assert len(points) == 1000
        assert torch.allclose(points.mean(0), torch.tensor(centre), atol=3e-3)
        assert float(points.std(0).mean()) == pytest.approx(0.02, rel=0.05)
