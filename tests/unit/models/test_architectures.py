"""Every architecture: sizes of the literature, any number of classes, one line where the data cannot fit."""

import pytest
import torch
from torch import nn

from advorch.api import Signature
from advorch.errors import ErrorClass, StageFailed
from advorch_builtins.models import catalog

MNIST = Signature(shape=(1, 28, 28), classes=tuple("0123456789"), box=(0.0, 1.0))
CIFAR = Signature(shape=(3, 32, 32), classes=tuple("0123456789"), box=(0.0, 1.0))
ANY_SHAPE = ("linear", "mlp", "fc500-150-10", "maxout")
IMAGES = ("lenet", "nin", "small-cnn", "madry-cnn", "resnet18")
MODELS = {component.name: component for component in catalog.advorch_components()}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def build(name: str, signature: Signature, **values: object) -> nn.Module:
    component = MODELS[name]
    module: nn.Module = component.load()(component.params.parse(values), signature)
    return module.eval()


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "signature", "count"),
    [
        ("linear", MNIST, 7_850),
        ("fc500-150-10", MNIST, 469_160),
        ("maxout", MNIST, 1_233_610),
        ("lenet", MNIST, 431_080),
        ("nin", CIFAR, 966_986),
        ("small-cnn", MNIST, 312_202),
        ("madry-cnn", MNIST, 3_274_634),
        ("resnet18", CIFAR, 11_173_962),
    ],
)
def test_parameter_counts_are_those_of_the_literature(name: str, signature: Signature, count: int) -> None:
    assert size(build(name, signature)) == count


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("name", [*ANY_SHAPE, *IMAGES])
def test_one_logit_a_class_and_an_input_gradient(name: str, classes: int) -> None:
    names = tuple(str(index) for index in range(classes))
    small = {"width": 4} if name == "resnet18" else {}
    module = build(name, Signature(shape=(1, 16, 16), classes=names, box=(0.0, 1.0)), **small)
    head = [part for part in module.modules() if isinstance(part, nn.Linear)][-1:]
    for layer in head:
        nn.init.normal_(layer.weight)  # one architecture starts it at zero, where there is no gradient
    x = torch.rand(2, 1, 16, 16, requires_grad=True)
    logits = module(x)
    assert logits.shape == (2, classes)
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), x)
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("name", ANY_SHAPE)
def test_flat_models_take_points_without_a_box(name: str) -> None:
    module = build(name, Signature(shape=(2,), classes=("a", "b")))
    assert module(torch.randn(5, 2)).shape == (5, 2)


@pytest.mark.parametrize("name", IMAGES)
def test_images_only_is_one_clear_line(name: str) -> None:
    with pytest.raises(StageFailed, match=f"model '{name}' takes images of at least") as caught:
        build(name, Signature(shape=(2,), classes=("a", "b")))
    assert caught.value.error_class is ErrorClass.USER
    with pytest.raises(StageFailed, match="takes images"):
        build(name, Signature(shape=(1, 3, 3), classes=("a", "b"), box=(0.0, 1.0)))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 17, 16), (2, 32, 30)])
@pytest.mark.parametrize("name", IMAGES)
def test_every_size_that_is_accepted_works(name: str, shape: tuple[int, int, int]) -> None:
    signature = Signature(shape=shape, classes=("a", "b", "c"), box=(0.0, 1.0))
    small = {"width": 4} if name == "resnet18" else {}
    try:
        module = build(name, signature, **small)
    except StageFailed:
        assert min(shape[1:]) == 8
        assert name in ("lenet", "small-cnn")
        return
    assert module(torch.rand(2, *shape)).shape == (2, 3)


def test_padding_lets_small_cnn_take_small_images() -> None:
    signature = Signature(shape=(1, 8, 8), classes=("a", "b"), box=(0.0, 1.0))
    assert build("small-cnn", signature, padding=1)(torch.rand(3, 1, 8, 8)).shape == (3, 2)


def test_one_class_is_refused() -> None:
    with pytest.raises(StageFailed, match="two classes or more"):
        build("linear", Signature(shape=(2,), classes=("only",)))


def test_the_box_is_normalised_inside() -> None:
    low, high = (Signature(shape=(2,), classes=("a", "b"), box=box) for box in ((0.0, 1.0), (0.0, 255.0)))
    torch.manual_seed(0)
    small = build("mlp", low)
    large = build("mlp", high)
    large.load_state_dict(small.state_dict())
    x = torch.rand(4, 2)
    assert torch.allclose(small(x), large(x * 255), atol=1e-6)


def test_equal_seeds_make_equal_weights() -> None:
    weights = []
    for _ in range(2):
        torch.manual_seed(7)
        weights.append(build("madry-cnn", MNIST).state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_madry_weights_start_as_published() -> None:
    for parameter in build("madry-cnn", MNIST).parameters():
        if parameter.ndim == 1:
            assert (parameter == 0.1).all()
        else:
            assert parameter.abs().max() <= 0.2
            assert float(parameter.detach().std()) == pytest.approx(
                0.088, abs=0.006
            )  # of a normal cut at two deviations


def test_maxout_takes_the_largest_piece() -> None:
    from advorch_builtins.models.maxout import Maxout

    unit = Maxout(width=1, units=1, pieces=2)
    unit.linear.weight.data = torch.tensor([[1.0], [-1.0]])
    assert unit(torch.tensor([[-3.0], [2.0]])).tolist() == [[3.0], [2.0]]


def test_batch_norm_stands_before_every_activation_and_on_the_logits_where_all_is_asked_for() -> None:
    found = {
        wanted: [type(part).__name__ for part in build("mlp", MNIST, hidden=(20, 10), batch_norm=wanted).children()][2:]
        for wanted in ("none", "hidden", "all")
    }
    assert found["none"] == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert found["hidden"] == ["Linear", "BatchNorm1d", "ReLU"] * 2 + ["Linear"]
    assert found["all"] == [*found["hidden"], "BatchNorm1d"]


def test_dropout_on_the_input_scales_what_is_left() -> None:
    torch.manual_seed(0)
    drop = next(
        part for part in build("mlp", MNIST, input_dropout=0.4).train().modules() if isinstance(part, nn.Dropout)
    )
    seen = drop(torch.ones(10_000))
    assert seen.unique().tolist() == pytest.approx([0, 1 / 0.6])
    assert float((seen == 0).float().mean()) == pytest.approx(0.4, abs=0.02)


def test_normal_weights_have_a_variance_of_one_over_the_inputs() -> None:
    torch.manual_seed(0)
    layers = [
        part for part in build("mlp", MNIST, hidden=(400,), initial="normal").modules() if isinstance(part, nn.Linear)
    ]
    assert [float(layer.weight.detach().var()) * layer.in_features for layer in layers] == pytest.approx(
        [1, 1], abs=0.05
    )
    assert all(not layer.bias.any() for layer in layers)


def test_a_resnet_without_batch_norm_is_smooth_and_has_biases() -> None:
    module = build("resnet18", CIFAR, width=4, activation="celu", batch_norm="none")
    kinds = [type(part) for part in module.modules()]
    assert nn.BatchNorm2d not in kinds
    assert nn.ReLU not in kinds
    assert kinds.count(nn.CELU) == 1 + 2 * 8
    assert all(part.bias is not None for part in module.modules() if isinstance(part, nn.Conv2d))
    rough = build("resnet18", CIFAR, width=4)
    assert [type(part) for part in rough.modules()].count(nn.ReLU) == 1 + 2 * 8


def test_softmax_regression_may_begin_at_zero() -> None:
    assert not build("linear", MNIST, initial="zero")(torch.rand(2, 1, 28, 28)).any()
    assert build("linear", MNIST)(torch.rand(2, 1, 28, 28)).all()
