"""The loss over the weights."""

import pytest
import torch
from torch import nn

from advorch.errors import StageFailed
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.kit.evaluation.surface_figures import arranged
from advorch.testing.evaluations import rows_of
from advorch.testing.fakes import learnable_data, small_conv
from advorch_builtins.evaluations.catalog_smoothness import LossSurfaceParams
from advorch_builtins.evaluations.loss_surface import LossSurface, filter_directions, losses, offsets_of, rise


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 2)).double().eval()


def test_every_filter_of_a_direction_is_as_long_as_the_models_own() -> None:
    module = small_conv(1, 8, 2)
    for direction in filter_directions(module, 3):
        for name, weight in module.named_parameters():
            if weight.dim() == 1:
                assert name not in direction
            else:
                own, drawn = (values.detach().flatten(1).norm(dim=1) for values in (weight, direction[name]))
                assert torch.allclose(own, drawn, rtol=1e-5)
    first, second = (torch.cat([one.flatten() for one in way.values()]) for way in filter_directions(module, 3))
    assert abs(float(nn.functional.cosine_similarity(first, second, dim=0))) < 0.3


def test_models_of_one_architecture_are_moved_along_the_same_draws() -> None:
    one, other = net(), net()
    other[0].weight.data.mul_(3)
    (first, _), (scaled, _) = filter_directions(one, 5), filter_directions(other, 5)
    assert torch.allclose(3 * first["0.weight"], scaled["0.weight"])


def test_a_layer_that_batch_norm_makes_blind_to_scale_has_the_surface_of_its_like() -> None:
    """Running statistics scale with the weights; a filter's direction does too."""
    data = learnable_data(12, (4,), 2)
    one, other = net(), net()
    other[0].weight.data.mul_(3)
    other[0].bias.data.mul_(3)
    other[1].running_var.mul_(9)
    other[1].eps = 9 * one[1].eps
    offsets = torch.linspace(-0.5, 0.5, 3, dtype=torch.float64)
    batch = type(data)(x=data.x.double(), y=data.y, ids=data.ids, classes=data.classes)
    surfaces = [losses(module, batch, filter_directions(module, 5), offsets) for module in (one, other)]
    assert torch.allclose(surfaces[0], surfaces[1])


def test_the_middle_is_the_model_and_weights_stay() -> None:
    module, data = net(), learnable_data(12, (4,), 2)
    batch = type(data)(x=data.x.double(), y=data.y, ids=data.ids, classes=data.classes)
    before = [weight.detach().clone() for weight in module.parameters()]
    found = losses(module, batch, filter_directions(module, 1), offsets_of(LossSurfaceParams(points=5, reach=0.5)))
    own = nn.functional.cross_entropy(module(batch.x), batch.y, reduction="none").detach()
    assert found.shape == (12, 5, 5)
    assert torch.allclose(found[:, 2, 2], own)
    assert all(torch.equal(weight, kept) for weight, kept in zip(module.parameters(), before, strict=True))


def test_the_rise_is_that_of_the_four_ends() -> None:
    across, up = torch.meshgrid(torch.linspace(-2, 2, 5), torch.linspace(-2, 2, 5), indexing="xy")
    bowl = 7 + across.square() + 3 * up.square()
    assert rise(bowl) == pytest.approx((4 + 4 + 12 + 12) / 4)
    assert rise(bowl, 0.5) == pytest.approx((1 + 1 + 3 + 3) / 4)


def test_findings_have_a_surface_and_a_profile() -> None:
    models = tuple(SubjectModel(label=name, digest=name * 64, module=net().float()) for name in ("a", "b"))
    params = LossSurfaceParams(points=3, names=("one", "other"))
    subject = Subject(data=learnable_data(12, (4,), 2), models=models)
    found = LossSurface().reduce(subject, rows_of(LossSurface(), subject, params, 5), params)
    assert set(found.pictures()) == {"Loss over the weights", "Loss along the axes"}
    assert found.metrics["one.rise"] == pytest.approx(found.metrics["other.rise"])
    with pytest.raises(StageFailed, match="an even grid has no point in the middle"):
        rows_of(LossSurface(), subject, LossSurfaceParams(points=4), 5)


@pytest.mark.parametrize(
    ("count", "expected"), [(1, (1, 1)), (2, (2, 1)), (3, (3, 1)), (4, (2, 2)), (5, (3, 2)), (6, (3, 2))]
)
def test_panels_leave_few_places_empty(count: int, expected: tuple[int, int]) -> None:
    assert arranged(count) == expected
