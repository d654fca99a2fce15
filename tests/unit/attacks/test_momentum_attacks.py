"""MIM and its kin against loops written by hand from their papers."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.components import Attack
from advorch.errors import StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import AttackResult, run_attack
from advorch.kit.attack.victim import Finish, Victim
from advorch.threat import Norm
from advorch_builtins.attacks import catalog_fixed

ATTACKS: dict[str, Attack[Any]] = {
    attack.name: attack for attack in catalog_fixed.COMPONENTS if isinstance(attack, Attack)
}


@pytest.fixture
def image_net() -> nn.Module:
    torch.manual_seed(4)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 6 * 8, 5)).double().eval()


@pytest.fixture
def images(image_net: nn.Module) -> tuple[Tensor, Tensor]:
    x = torch.rand(10, 2, 8, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return x, image_net(x).argmax(1)


def slope_of(module: nn.Module, z: Tensor, y: Tensor) -> Tensor:
    point = z.clone().requires_grad_()
    loss = functional.cross_entropy(module(point), y, reduction="sum")
    return torch.autograd.grad(loss, point)[0]


def last_point(name: str, module: nn.Module, x: Tensor, y: Tensor, settings: dict[str, Any], **options: Any) -> Tensor:
    attack = ATTACKS[name]
    victim = Victim(module, **({"box": (0.0, 1.0), "norm": Norm.LINF, "epsilon": 0.1, "finish": Finish.LAST} | options))
    return attack.load()(victim, x, y, attack.params.parse(settings), Draws(11, torch.arange(len(x))))


def result_of(name: str, module: nn.Module, x: Tensor, y: Tensor, settings: dict[str, Any]) -> AttackResult:
    attack = ATTACKS[name]
    victim = Victim(module, box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.1)
    params = attack.params.parse(settings)
    return run_attack(attack.load(), victim, x, y, params, Draws(11, torch.arange(len(x))))


@pytest.mark.parametrize("norm", [Norm.LINF, Norm.L2])
@pytest.mark.parametrize("decay", [0.0, 0.9, 1.0])
def test_momentum_sums_gradients_of_length_one_in_l1(
    norm: Norm, decay: float, image_net: nn.Module, images: tuple[Tensor, Tensor]
) -> None:
    """Foolbox sums signs instead, and ends elsewhere in an eighth of the pixels."""
    x, y = images
    found = last_point("mim", image_net, x, y, {"steps": 6, "decay": decay}, norm=norm)
    ball = Victim(image_net, box=(0.0, 1.0), norm=norm, epsilon=0.1).ball(x)
    z, kept = x, torch.zeros_like(x)
    for _ in range(6):
        gradient = slope_of(image_net, z, y)
        kept = decay * kept + gradient / gradient.flatten(1).abs().sum(1).view(-1, 1, 1, 1)
        length = kept.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        z = ball.project(z + 0.1 / 6 * (kept.sign() if norm is Norm.LINF else kept / length))
    assert torch.allclose(found, z, atol=1e-12)


def test_momentum_of_a_gradient_that_vanishes(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    """A zero gradient made the momentum of torchattacks not a number, and froze the sample for good."""
    x, y = held_out
    for scale in (0.0, 1e-30):
        module = Vanishing(trained, scale)
        z = last_point("mim", module, x, y, {"steps": 4})
        assert torch.isfinite(z).all()
        assert (z != x).any(1).all()


class Vanishing(nn.Module):
    """Says hardly anything, or nothing, at the sample; beside it what the net says."""

    def __init__(self, module: nn.Module, scale: float) -> None:
        super().__init__()
        self.module, self.scale, self.calls = module, scale, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        out: Tensor = self.module(x)
        return out * (self.scale if self.calls == 1 else 1)


def test_nesterov_looks_ahead(image_net: nn.Module, images: tuple[Tensor, Tensor]) -> None:
    x, y = images
    found = last_point("nim", image_net, x, y, {"steps": 5, "decay": 0.8, "alpha": 0.03})
    z, kept = x, torch.zeros_like(x)
    for _ in range(5):
        gradient = slope_of(image_net, z + 0.03 * 0.8 * kept, y)
        kept = 0.8 * kept + gradient / gradient.flatten(1).abs().sum(1).view(-1, 1, 1, 1)
        z = (z + 0.03 * kept.sign()).clamp(x - 0.1, x + 0.1).clamp(0, 1)
    assert torch.allclose(found, z, atol=1e-12)


def test_translation_invariance_is_a_gaussian_on_the_gradient(
    image_net: nn.Module, images: tuple[Tensor, Tensor]
) -> None:
    x, y = images
    found = last_point("tim", image_net, x, y, {"steps": 4, "reach": 2})
    line = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0], dtype=torch.float64)
    bell = (-((line * 3**0.5 / 2) ** 2) / 2).exp()
    kernel = (bell[:, None] * bell / bell.sum() ** 2).expand(2, 1, 5, 5)
    z, kept = x, torch.zeros_like(x)
    for _ in range(4):
        gradient = functional.conv2d(slope_of(image_net, z, y), kernel, padding=2, groups=2)
        kept = kept + gradient / gradient.flatten(1).abs().sum(1).view(-1, 1, 1, 1)
        z = (z + 0.1 / 4 * kept.sign()).clamp(x - 0.1, x + 0.1).clamp(0, 1)
    assert torch.allclose(found, z, atol=1e-12)


def test_diversity_leaves_images_alone_where_nothing_is_drawn(
    image_net: nn.Module, images: tuple[Tensor, Tensor]
) -> None:
    x, y = images
    plain = last_point("mim", image_net, x, y, {"steps": 5})
    for settings in ({"probability": 0.0}, {"least": 1.0, "probability": 1.0}):
        assert torch.allclose(last_point("dim", image_net, x, y, {"steps": 5} | settings), plain, atol=1e-12)
    always = last_point("dim", image_net, x, y, {"steps": 5, "probability": 1.0, "least": 0.6})
    assert ((always - plain).abs() > 0.01).flatten(1).any(1).all()


class OnlyFull(nn.Module):
    """Right about an image unless its border is empty: a view alone fools it, the image never."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.module(x)
        border = x[:, :, 0].sum((1, 2)) * x[:, :, -1].sum((1, 2)) * x[:, :, :, 0].sum((1, 2)) * x[..., -1].sum((1, 2))
        return logits * 1e-3 + torch.where(border > 0, 100.0, -100.0)[:, None] * torch.eye(5, dtype=x.dtype)[0]


def test_the_verdict_is_that_of_the_image_as_it_is(image_net: nn.Module, images: tuple[Tensor, Tensor]) -> None:
    x, _ = images
    y = torch.zeros(10, dtype=torch.int64)
    for name, settings in (("dim", {"probability": 1.0, "least": 0.5}), ("eot-pgd", {"view": "resize", "least": 0.5})):
        result = result_of(name, OnlyFull(image_net), x, y, {"steps": 6} | settings)
        assert not result.success.any()
        draws = 10 if name == "eot-pgd" else 1
        assert result.backwards.eq(6 * draws).all()


@pytest.mark.parametrize("name", ["dim", "tim"])
def test_only_images_can_be_resized_and_blurred(name: str, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(StageFailed, match=r"changes images .* not samples of shape \(6,\)") as refusal:
        result_of(name, trained, *held_out, {})
    assert "mim" in refusal.value.hint
