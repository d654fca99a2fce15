"""Adversarial training as its papers have it, and with other losses than the cross-entropy."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from advorch.kit.training.losses import losses
from advorch.kit.training.step import Step
from advorch_builtins.defenses import adversarial
from advorch_builtins.defenses.catalog import ADVERSARIAL, AdversarialParams
from advorch_builtins.defenses.catalog_presets import FGSM_AT, MIM_AT, PGD_AT, FgsmAtParams, MimAtParams, PgdAtParams

StepOf = Callable[..., Step]


def test_defaults_are_the_papers() -> None:
    fgsm, pgd, mim = FgsmAtParams(), PgdAtParams(), MimAtParams()
    assert (fgsm.attack.uses, fgsm.attack.with_["epsilon"], fgsm.alpha) == ("fgsm", 0.25, 0.5)
    assert pgd.attack.with_ == {"epsilon": 0.3, "steps": 40, "alpha": 0.01, "random_start": True}
    assert (pgd.alpha, mim.alpha) == (0.0, 0.0)
    assert (mim.attack.uses, mim.attack.with_["decay"]) == ("mim", 1.0)


@pytest.mark.parametrize("preset", [FGSM_AT, PGD_AT, MIM_AT])
def test_a_preset_is_the_loss_of_adversarial_training(preset: object) -> None:
    assert preset.load() is ADVERSARIAL.load()  # type: ignore[attr-defined]
    assert preset.kind == "defend"  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["cross-entropy", "squared", "hinge", "logistic"])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_mix_holds_for_every_loss(smooth: nn.Module, step_of: StepOf, name: str, alpha: float) -> None:
    step = step_of(smooth)
    attack = {"uses": "fgsm", "with": {"epsilon": 0.1}}
    params = AdversarialParams.parse({"attack": attack, "alpha": alpha, "loss": name})
    found = adversarial.loss(step, params)
    hard = step_of(smooth).attack(params.attack)
    clean, other = (losses(params.loss, smooth(x), step.y).mean() for x in (step.x, hard))
    assert found.item() == pytest.approx((alpha * clean + (1 - alpha) * other).item(), rel=1e-12)
    assert (step.attacked is None) == (alpha == 1)
    assert torch.isfinite(found)
