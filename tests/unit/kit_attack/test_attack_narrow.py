"""Convolutions of few channels: the same slopes, and the module is as it was."""

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.attack.narrow import few_channels

LAYERS = [
    nn.Conv2d(1, 6, 5, padding=2),
    nn.Conv2d(3, 4, (3, 2), padding=(0, 1), bias=False),
    nn.Conv2d(2, 3, 1),
    nn.Conv2d(4, 8, 4, padding=3),
]


@pytest.fixture
def frozen(request: pytest.FixtureRequest) -> nn.Conv2d:
    layer: nn.Conv2d = copy.deepcopy(request.param)
    return layer.requires_grad_(False)


def slope(layer: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    point = x.detach().requires_grad_()
    out = layer(point)
    (gradient,) = torch.autograd.grad((out.sin() * torch.arange(out[0].numel()).view_as(out[0])).sum(), point)
    return out.detach(), gradient


def works_so(layer: nn.Module, x: Tensor) -> bool:
    return type(layer(x.detach().requires_grad_()).grad_fn).__name__ == "_ConvolutionBackward"


@pytest.mark.parametrize("frozen", LAYERS, indirect=True)
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_outputs_are_the_same_and_slopes_but_for_rounding(frozen: nn.Conv2d, order: torch.memory_format) -> None:
    x = torch.rand(5, frozen.in_channels, 9, 11, generator=torch.Generator().manual_seed(0))
    frozen.to(memory_format=order)
    usual = slope(frozen, x)
    with few_channels(frozen):
        assert works_so(frozen, x)
        found = slope(frozen, x)
    assert torch.equal(found[0], usual[0])
    assert found[1].shape == x.shape
    assert float((found[1] - usual[1]).abs().max()) < 1e-6 * float(usual[1].abs().max())


@pytest.mark.parametrize("frozen", LAYERS, indirect=True)
@pytest.mark.parametrize("cast", [False, True])
def test_under_autocast_sums_are_in_float32(frozen: nn.Conv2d, cast: bool) -> None:
    x = torch.rand(5, frozen.in_channels, 9, 11, generator=torch.Generator().manual_seed(0)).requires_grad_()
    layer = frozen.bfloat16() if cast else frozen
    exact = copy.deepcopy(layer).float()
    pull = torch.arange(exact(x)[0].numel()) % 7.0
    (known,) = torch.autograd.grad((exact(x).flatten(1) * pull).sum(), x)
    with torch.autocast("cpu", torch.bfloat16), few_channels(layer):
        out = layer(x)
        assert type(out.grad_fn).__name__ == "_ConvolutionBackward"
        assert out.dtype == torch.bfloat16
        (found,) = torch.autograd.grad((out.flatten(1) * pull).sum(), x)
    assert found.dtype == torch.float32
    assert torch.allclose(found, known, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("frozen", LAYERS[:1], indirect=True)
def test_a_slope_of_a_slope_is_there_too(frozen: nn.Conv2d) -> None:
    x = torch.rand(3, 1, 6, 6).requires_grad_()

    def bend() -> Tensor:
        (first,) = torch.autograd.grad(frozen(x).square().sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), x)[0]

    usual = bend()
    with few_channels(frozen):
        assert torch.allclose(bend(), usual, rtol=1e-4)


class Shifted(nn.Conv2d):
    """A layer with a forward pass of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 1


@pytest.mark.parametrize(
    "layer",
    [
        Shifted(1, 2, 3),
        nn.Conv2d(8, 2, 3),
        nn.Conv2d(1, 2, 3, stride=2),
        nn.Conv2d(1, 2, 3, dilation=2),
        nn.Conv2d(2, 2, 3, groups=2),
        nn.Conv2d(1, 2, 3, padding="same"),
        nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular"),
    ],
)
def test_what_is_no_plain_narrow_convolution_is_left_alone(layer: nn.Conv2d) -> None:
    layer.requires_grad_(False)
    with few_channels(layer):
        assert not works_so(layer, torch.rand(2, layer.in_channels, 9, 9))


@pytest.mark.parametrize("frozen", LAYERS[:1], indirect=True)
@pytest.mark.parametrize("why", ["trained", "float64"])
def test_where_it_is_not_meant_the_layer_works_as_ever(frozen: nn.Conv2d, why: str) -> None:
    x = torch.rand(2, 1, 6, 6)
    if why == "trained":
        frozen.requires_grad_(True)
    if why == "float64":
        frozen, x = frozen.double(), x.double()
    with few_channels(frozen):
        assert not works_so(frozen, x)
        if why == "trained":
            frozen(x.requires_grad_()).sum().backward()
            assert frozen.weight.grad is not None


@pytest.mark.parametrize("frozen", LAYERS[:1], indirect=True)
def test_the_module_is_put_back_after_an_error(frozen: nn.Conv2d) -> None:
    before = pickle.dumps(frozen)
    with pytest.raises(ZeroDivisionError), few_channels(frozen), few_channels(frozen):
        raise ZeroDivisionError
    assert pickle.dumps(frozen) == before
    assert not works_so(frozen, torch.rand(2, 1, 6, 6))
