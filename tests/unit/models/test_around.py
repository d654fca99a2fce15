"""What is put around a model: noise, transformations with and without BPDA, and detectors that refuse."""

import io
import math
import pickle

import numpy
import pytest
import torch
from PIL import Image
from scipy.ndimage import median_filter
from torch import Tensor, nn

from advorch.api import Signature
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.inputs import build_around
from advorch.testing.fakes import Hesitant, LinearModel
from advorch_builtins.models.catalog_around import COMPONENTS
from advorch_builtins.models.detected import Detected
from advorch_builtins.models.refusing import Refusing, calibrate, scores
from advorch_builtins.models.transformations import blurred, median, reduced, saved

WRAPPERS = {component.name: component for component in COMPONENTS}
GREY = Signature(shape=(1, 8, 8), classes=("a", "b", "c"), box=(0.0, 1.0))
COLOUR = Signature(shape=(3, 8, 8), classes=("a", "b"), box=((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)))


def build(name: str, inner: nn.Module, signature: Signature = GREY, **values: object) -> nn.Module:
    component = WRAPPERS[name]
    params = component.params.parse({"inner": {"uses": "stand-in"}, **values})
    module: nn.Module = component.load()(params, signature, inner)
    return module.eval()


def images(channels: int = 1, seed: int = 0) -> Tensor:
    return torch.rand(5, channels, 8, 8, generator=torch.Generator().manual_seed(seed))


def slope(module: nn.Module, x: Tensor) -> Tensor:
    point = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(module(point)[:, 0].sum(), point)
    return gradient


def test_a_vote_without_noise_is_the_model() -> None:
    inner = LinearModel(64, 3)
    said = build("smoothed", inner, sigma=0.0, draws=5)(images())
    assert torch.allclose(said, inner(images()).log_softmax(1), atol=1e-5)


def test_a_vote_is_the_mean_of_probabilities_under_noise() -> None:
    inner, x = LinearModel(64, 3), images()
    torch.manual_seed(3)
    said = build("smoothed", inner, sigma=0.3, draws=4)(x).exp()
    torch.manual_seed(3)
    copies = [inner(x + 0.3 * torch.randn_like(x)).softmax(1) for _ in range(4)]
    assert torch.allclose(said, torch.stack(copies).mean(0), atol=1e-5)


def test_every_question_is_answered_with_noise_of_its_own() -> None:
    model = build("smoothed", LinearModel(64, 3), sigma=0.3, draws=2)
    assert not torch.equal(model(images()), model(images()))


def test_bits_round_and_leave_no_gradient_of_their_own() -> None:
    inner = LinearModel(64, 3)
    model = build("transformed", inner, bits=2)
    assert torch.equal(model(images()), inner((images() * 3).round() / 3))
    assert not slope(model, images()).any()


@pytest.mark.parametrize("what", [{"bits": 2}, {"jpeg": 30}, {"median": 3}, {"blur": 0.8}])
def test_bpda_passes_the_gradient_and_changes_no_answer(what: dict[str, object]) -> None:
    inner = LinearModel(64, 3)
    naive, aware = (build("transformed", inner, backward=way, **what) for way in ("own", "identity"))
    assert torch.equal(naive(images()), aware(images()))
    assert torch.allclose(slope(aware, images()).flatten(1), inner.weight[0].expand(5, -1))


def test_jpeg_has_a_gradient_of_zero_and_blur_a_true_one() -> None:
    inner = LinearModel(64, 3).double()
    x = images().double()
    assert not slope(build("transformed", inner, jpeg=50), x).any()
    module = build("transformed", inner, blur=0.8)
    assert torch.autograd.gradcheck(module, x[:1].requires_grad_())


def test_jpeg_is_what_a_file_keeps() -> None:
    grey, colour = images(1), images(3)
    for x in (grey, colour):
        pixels = (x[0] * 255).round().byte().permute(1, 2, 0).squeeze(2).numpy()
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format="JPEG", quality=20)
        kept = torch.from_numpy(numpy.array(Image.open(file))).float().div(255)
        wanted = kept[None] if kept.dim() == 2 else kept.permute(2, 0, 1)
        assert torch.equal(saved(x, 20)[0], wanted)
    assert float((saved(grey, 20) - grey).abs().mean()) > float((saved(grey, 95) - grey).abs().mean())


@pytest.mark.parametrize("side", [2, 3])
def test_the_median_is_that_of_scipy(side: int) -> None:
    x = images(3)
    wanted = [[median_filter(plane.numpy(), size=side, mode="mirror") for plane in image] for image in x]
    assert numpy.array_equal(median(x, side).numpy(), numpy.array(wanted))


def test_a_blur_spreads_and_loses_nothing() -> None:
    flat, dot = torch.full((1, 1, 15, 15), 0.3), torch.zeros(1, 1, 15, 15)
    dot[..., 7, 7] = 1
    spread = blurred(dot, 1.0)
    assert torch.allclose(blurred(flat, 1.0), flat)
    assert float(spread.sum()) == pytest.approx(1.0, rel=1e-5)
    assert float(spread[0, 0, 7, 8] / spread[0, 0, 7, 7]) == pytest.approx(math.exp(-0.5), rel=1e-5)


def test_values_are_shares_of_the_box() -> None:
    inner, x = LinearModel(192, 2), images(3) * 2 - 1
    model = build("transformed", inner, COLOUR, bits=1)
    assert torch.allclose(model(x), inner((x > 0).float() * 2 - 1), atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_stay_what_they_are(dtype: torch.dtype) -> None:
    inner = LinearModel(64, 3).to(dtype)
    for what in ({"bits": 3}, {"jpeg": 50}, {"median": 3}, {"blur": 1.0}):
        assert build("transformed", inner, **what)(images().to(dtype)).dtype == dtype


def test_all_of_it_pickles() -> None:
    for name, values in (("smoothed", {"sigma": 0.0}), ("transformed", {"jpeg": 50, "bits": 3}), ("squeezed", {})):
        model = build(name, LinearModel(64, 3), **values)
        again = pickle.loads(pickle.dumps(model))
        assert torch.equal(model(images()), again(images()))


@pytest.mark.parametrize(
    ("signature", "what", "complaint"),
    [
        (Signature(shape=(12,), classes=("a", "b"), box=(0.0, 1.0)), {"bits": 3}, "are for images"),
        (Signature(shape=(1, 8, 8), classes=("a", "b")), {"bits": 3}, "has no box"),
        (Signature(shape=(2, 8, 8), classes=("a", "b"), box=(0.0, 1.0)), {"jpeg": 50}, "JPEG has 1 channel or 3"),
        (GREY, {"median": 9}, "wider than images"),
    ],
)
def test_what_cannot_be_transformed_is_refused(signature: Signature, what: dict[str, object], complaint: str) -> None:
    with pytest.raises(StageFailed, match=complaint) as caught:
        build("transformed", LinearModel(4), signature, **what)
    assert caught.value.error_class is ErrorClass.USER


def test_a_transformation_has_to_do_something() -> None:
    with pytest.raises(ValueError, match="give one of"):
        WRAPPERS["transformed"].params.parse({"inner": {"uses": "stand-in"}})


def test_several_are_done_in_order() -> None:
    inner = LinearModel(64, 3)
    said = build("transformed", inner, median=2, bits=1)(images())
    assert torch.equal(said, inner(reduced(median(images(), 2), 1)))


def test_a_squeezed_image_that_is_taken_for_something_else_is_suspect() -> None:
    inner, x = LinearModel(64, 3), images()
    model = build("squeezed", inner, squeezers=[{"bits": 1}, {"median": 2}])
    assert isinstance(model, Refusing)
    plain = inner(x).softmax(1)
    gaps = [(plain - inner(simple).softmax(1)).abs().sum(1) for simple in (reduced(x, 1), median(x, 2))]
    assert torch.allclose(model.scored(x)[1], 10 * torch.maximum(*gaps), atol=1e-5)


def test_a_refusal_is_largest_just_where_the_score_is_above_the_threshold() -> None:
    model = build("squeezed", LinearModel(64, 3))
    assert isinstance(model, Refusing)
    found = scores(model, images(), "cpu")
    facts = calibrate(model, found, 0.4)
    said = model(images())
    assert said.shape == (5, 4)
    assert torch.equal(said.argmax(1) == 3, found > model.threshold)
    assert facts["false_alarms"] == pytest.approx(0.4)


def test_no_more_are_refused_than_may_be() -> None:
    model = build("squeezed", LinearModel(64, 3))
    assert isinstance(model, Refusing)
    level = torch.tensor([1.0, 2.0, 2.0, 2.0, 3.0])
    assert calibrate(model, level, 0.4)["false_alarms"] == pytest.approx(0.2)
    assert calibrate(model, level, 0.0)["false_alarms"] == 0.0


def test_a_detector_sees_a_layer_by_its_name() -> None:
    inner = nn.Sequential(nn.Flatten(), nn.Linear(64, 7), nn.ReLU(), nn.Linear(7, 3))
    model = build("detected", inner, layer="2", hidden=[4])
    assert isinstance(model, Detected)
    logits, features = model.look(images())
    assert torch.equal(features, inner[:3](images()))
    assert torch.equal(logits, inner(images()))
    assert not inner[2]._forward_hooks


def test_a_layer_that_is_not_there_is_refused() -> None:
    with pytest.raises(StageFailed, match="no layer 'body'"):
        build("detected", LinearModel(64, 3), layer="body")


def test_features_are_measured_by_those_of_clean_samples() -> None:
    model = build("detected", LinearModel(64, 3), hidden=[4])
    assert isinstance(model, Detected)
    clean = torch.tensor([[1.0, 2.0, 5.0], [3.0, 6.0, 5.0]])
    model.settle(clean)
    scaled = (clean - model.mean) / model.deviation
    assert torch.allclose(scaled.mean(0), torch.zeros(3))
    assert bool(torch.isfinite(model.odds(clean)).all())


@pytest.mark.parametrize("name", sorted(WRAPPERS))
def test_nothing_goes_around_a_model_that_refuses(name: str) -> None:
    """Its last logit would be taken for a class."""
    component = WRAPPERS[name]
    own = {"bits": 3} if name == "transformed" else {}
    params = component.params.parse({"inner": {"uses": "stand-in"}, **own})
    with pytest.raises(StageFailed, match="may refuse to answer"):
        build_around(component, params, GREY, Hesitant(LinearModel(64, 3)), seed=0)


def test_smoothing_is_for_numbers() -> None:
    with pytest.raises(StageFailed, match="smoothing is for numbers"):
        build("smoothed", LinearModel(64, 3), sigma=0.1, draws=2)(torch.ones(2, 64, dtype=torch.int64))


def test_a_layer_that_is_never_called_is_named() -> None:
    inner = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    inner.add_module("spare", nn.ModuleList([nn.Linear(3, 3)]))
    inner.forward = lambda x: inner[1](inner[0](x))  # type: ignore[method-assign]
    with pytest.raises(StageFailed, match="gave 0 outputs"):
        build("detected", inner, layer="spare")(images())
