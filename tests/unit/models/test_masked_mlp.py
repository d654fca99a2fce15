"""A defence that is broken on purpose, and how."""

import pytest
import torch
from torch import nn

from advorch.api import Signature
from advorch.errors import ErrorClass, StageFailed
from advorch_builtins.models.catalog_masked import MASKED_MLP

PICTURES = Signature(shape=(1, 4, 4), classes=("a", "b", "c"), box=(0.0, 1.0))
COLOURS = Signature(shape=(2, 2, 2), classes=("a", "b"), box=((0.0, -1.0), (1.0, 3.0)))


def build(signature: Signature, **values: object) -> nn.Module:
    torch.manual_seed(0)
    module: nn.Module = MASKED_MLP.load()(MASKED_MLP.params.parse({"hidden": [8], **values}), signature)
    return module


def test_rounded_inputs_are_what_the_network_sees() -> None:
    module = build(PICTURES, levels=4).eval()
    x = torch.rand(5, 1, 4, 4)
    assert torch.equal(module(x), module[1]((x * 4).round() / 4))


def test_rounding_leaves_no_gradient() -> None:
    x = torch.rand(5, 1, 4, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(build(PICTURES, levels=4)(x).sum(), x)
    assert not gradient.any()


def test_every_channel_is_rounded_in_its_own_range() -> None:
    x = torch.tensor([0.4, 1.2]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    seen = build(COLOURS, levels=2)[0](x)
    assert seen[0, :, 0, 0].tolist() == [0.5, 1.0]


def test_levels_need_a_box() -> None:
    endless = Signature(shape=(4,), classes=("a", "b"))
    with pytest.raises(StageFailed, match="levels divide the box") as caught:
        build(endless, levels=4)
    assert caught.value.error_class is ErrorClass.USER
