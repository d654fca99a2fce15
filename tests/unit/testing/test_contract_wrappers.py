"""Planted defects in what surrounds a model."""

import pytest
import torch
from torch import Tensor, nn

from advorch.api import ModelRef, Params, Signature, Wrapper, WrapperFn
from advorch.testing.check import Verdict
from advorch.testing.contract import checks_for
from advorch.testing.fakes import Hesitant


class AroundParams(Params):
    """A model around another."""

    inner: ModelRef


class Noisy(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x + 0.1 * torch.randn_like(x))
        return logits


def bare(params: AroundParams, signature: Signature, inner: nn.Module) -> nn.Module:
    return nn.Sequential(inner)


def noisy(params: AroundParams, signature: Signature, inner: nn.Module) -> nn.Module:
    return Noisy(inner)


def refusing(params: AroundParams, signature: Signature, inner: nn.Module) -> nn.Module:
    return Hesitant(inner)


def forgets_what_it_surrounds(params: AroundParams, signature: Signature) -> nn.Module:
    return nn.Flatten()


def defects(build: WrapperFn[AroundParams], **values: bool) -> set[str]:
    component = Wrapper(name="around", summary="around", params=AroundParams, load=lambda: build, **values)
    results = [check.result() for check in checks_for(component)]
    return {result.check for result in results if result.verdict is Verdict.BROKEN}


def test_wrappers_that_are_right_pass() -> None:
    assert not defects(bare)
    assert not defects(noisy, random=True)
    assert not defects(refusing, refuses=True)


@pytest.mark.parametrize("values", [{}, {"random": True}])
def test_randomness_is_declared_where_it_is(values: dict[str, bool]) -> None:
    assert "draws if it says so" in defects(bare if values else noisy, **values)


@pytest.mark.parametrize("values", [{}, {"refuses": True}])
def test_refusals_are_declared_where_they_are(values: dict[str, bool]) -> None:
    assert "refuses if it says so" in defects(bare if values else refusing, **values)


def test_a_wrapper_takes_what_it_surrounds() -> None:
    assert "load gives a callable" in defects(forgets_what_it_surrounds)  # type: ignore[arg-type]
