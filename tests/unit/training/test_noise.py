"""Training on noise: its laws, its mix, and whom it belongs to."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.training.step import Step, no_attacks
from advorch.seeds import Seeds
from advorch.testing.fakes import LinearModel, learnable_data
from advorch_builtins.training import noise
from advorch_builtins.training.catalog_noise import NoiseParams

X = torch.full((400, 20), 0.5, dtype=torch.float64)
IDS = torch.arange(400) * 3


def noised(law: str, **values: object) -> torch.Tensor:
    params = NoiseParams.parse({"law": law, "size": 0.2, **values})
    return noise.noised(X, Draws(0, IDS), params, (0.0, 1.0)) - X


def step_of(model: nn.Module) -> Step:
    data = learnable_data(32, (12,), 2)
    return Step(
        model=model, x=data.x, y=data.y, ids=data.ids, unlabelled=None, epoch=0, index=0, progress=0.0, seeds=Seeds(0),
        attacks=no_attacks, box=data.box,
    )  # fmt: skip


def test_each_law_has_its_size() -> None:
    uniform, sign, gaussian = (noised(law) for law in ("uniform", "sign", "gaussian"))
    assert float(uniform.abs().max()) <= 0.2
    assert float(uniform.var()) == pytest.approx(0.04 / 3, rel=0.05)
    assert torch.allclose(sign.abs(), torch.full_like(sign, 0.2))
    assert abs(float(sign.mean())) < 0.01
    assert float(gaussian.std()) == pytest.approx(0.2, rel=0.03)
    assert float(gaussian.abs().max()) > 0.5


def test_gaussian_noise_leaves_the_box_unless_it_is_told_not_to() -> None:
    assert float(noised("gaussian").abs().max()) > 0.5
    assert float(noised("gaussian", clip=True).abs().max()) == 0.5


@pytest.mark.parametrize("law", ["uniform", "sign"])
def test_bounded_noise_stays_in_the_box_unless_it_is_told_not_to(law: str) -> None:
    assert float(noised(law, size=0.9).abs().max()) == 0.5
    assert float(noised(law, size=0.9, clip=False).abs().max()) > 0.5


def test_noise_belongs_to_the_sample() -> None:
    order = torch.randperm(400, generator=torch.Generator().manual_seed(0))
    params = NoiseParams(law="gaussian")
    mixed = noise.noised(X[order], Draws(0, IDS[order]), params, None)
    assert torch.equal(mixed, noise.noised(X, Draws(0, IDS), params, None)[order])


@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0])
def test_the_loss_is_the_mix(alpha: float) -> None:
    step, params = step_of(LinearModel(12, 2)), NoiseParams(law="uniform", size=0.3, alpha=alpha)
    hard = noise.noised(step.x, step.draws("noise"), params, step.box)
    clean, noisy = (functional.cross_entropy(step.model(x), step.y).item() for x in (step.x, hard))
    assert noise.loss(step, params).item() == pytest.approx(alpha * clean + (1 - alpha) * noisy, rel=1e-5)
    assert step.logged["accuracy"] == (step.model(hard).argmax(1) == step.y).float().mean()


def test_every_step_draws_anew() -> None:
    step, params = step_of(LinearModel(12, 2)), NoiseParams()
    assert noise.loss(step, params).item() != noise.loss(replace(step, index=1), params).item()


def test_words_are_refused() -> None:
    with pytest.raises(StageFailed, match="these samples are words") as caught:
        noise.noised(torch.zeros(2, 3, dtype=torch.int64), Draws(0, IDS[:2]), NoiseParams(), None)
    assert caught.value.error_class is ErrorClass.USER
