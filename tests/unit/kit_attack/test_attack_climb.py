"""Leaving early, and searching in bfloat16, change what an ascent costs and not what it finds."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.attack.directions import sign
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import Recipe, ascend
from advorch.kit.attack.rounds import look_back, remember
from advorch.kit.attack.schedules import share_of_epsilon
from advorch.kit.attack.starts import at_clean, at_random
from advorch.kit.attack.victim import Victim
from advorch.threat import Norm

IDS = torch.arange(64)
RECIPE = Recipe(steps=60, direction=sign, schedule=share_of_epsilon(0.25), start=at_random)


def victim_of(module: nn.Module, **options: Any) -> Victim:
    return Victim(module, **({"box": (0.0, 1.0), "norm": Norm.LINF, "epsilon": 0.08} | options))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_who_goes_round_has_been_everywhere(
    classifier: nn.Module, samples: tuple[Tensor, Tensor], dtype: torch.dtype
) -> None:
    module, x, y = classifier.to(dtype), samples[0].to(dtype), samples[1]
    whole, short = victim_of(module), victim_of(module)
    expected = ascend(whole, x, y, RECIPE, Draws(1, IDS))
    found = ascend(short, x, y, replace(RECIPE, cyclic=True), Draws(1, IDS))
    costs = [victim.usage(64).forwards for victim in (whole, short)]
    assert torch.allclose(found, expected, atol=1e-6)
    assert torch.equal(short.fooled(found, y), whole.fooled(expected, y))
    standing = ~whole.fooled(expected, y)
    assert standing.sum() > 20
    assert costs[0][standing].eq(61).all()
    assert costs[1][standing].float().mean() < 30


class Noisy(nn.Module):
    """Draws at every call, a little."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.module(x)
        return out + 0.01 * torch.rand(out.shape).to(x)


def test_a_model_that_draws_is_never_done(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    """At the same point it says something else: nothing has been seen yet."""
    x, y = samples
    victim = victim_of(Noisy(classifier), epsilon=0.02)
    z = ascend(victim, x, y, replace(RECIPE, cyclic=True), Draws(1, IDS))
    standing = ~victim_of(classifier).fooled(z, y)
    assert standing.sum() > 30
    assert victim.usage(64).forwards[standing].ge(61).all()


@pytest.mark.parametrize("together", [1, 3, 9])
def test_states_are_told_apart(together: int) -> None:
    base = torch.rand(1, 12, generator=torch.Generator().manual_seed(0))
    moved, swapped = base.clone(), base.flip(1)
    moved[0, 3] = torch.nextafter(moved[0, 3], torch.tensor(1.0))
    visits = [(base, 0.5), (moved, 0.5), (swapped, 0.5), (base, 0.4), (moved, 0.4), (-base, 0.5), (swapped, 0.5)]
    visits += [(-base, 0.5), (swapped, 0.5)]
    memory: dict[str, Tensor] = {}
    found = []
    for first in range(0, len(visits), together):
        states, losses = zip(*visits[first : first + together], strict=True)
        remember(memory, first, torch.stack(states), torch.tensor(losses)[:, None], len(visits))
        look_back(memory, first, first + together)
        found.append(bool(memory["round"]))
    known_after = [False] * 7 + [True] * 2
    assert found == known_after[together - 1 :: together]


class Precise(nn.Module):
    """A model of two minds: what it says in bfloat16 has an error of its own."""

    def __init__(self, module: nn.Module, error: Tensor) -> None:
        super().__init__()
        self.module, self.error = module, error

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            out: Tensor = self.module(x.float())
        return out + self.error if torch.is_autocast_enabled("cpu") else out


def test_what_seems_fooled_in_bfloat16_is_judged_in_full_and_goes_on(
    classifier: nn.Module, samples: tuple[Tensor, Tensor]
) -> None:
    """In bfloat16 everybody seems fooled at once; what is found is what a search in full precision finds."""
    x, y = samples
    error = torch.tensor([1e3, -1e3, 0.0])
    keep = (y != 0).nonzero().squeeze(1)
    x, y = x[keep], y[keep]
    halves, full = victim_of(Precise(classifier, error)), victim_of(classifier)
    found = ascend(halves, x, y, replace(RECIPE, bfloat16=True), Draws(1, keep))
    expected = ascend(full, x, y, RECIPE, Draws(1, keep))
    assert torch.equal(full.fooled(found, y), full.fooled(expected, y))
    assert torch.allclose(found, expected, atol=1e-6)
    assert 0 < int(full.fooled(found, y).sum()) < len(y)
    assert halves.usage(len(y)).forwards.max() <= 61 + 3


def test_what_bfloat16_never_sees_is_seen_at_the_end(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    x, y = samples
    keep = (y == 0).nonzero().squeeze(1)
    x, y = x[keep], y[keep]
    victim = victim_of(Precise(classifier, torch.tensor([1e3, 0.0, 0.0])), epsilon=0.3)
    found = ascend(victim, x, y, replace(RECIPE, bfloat16=True), Draws(1, keep))
    assert victim.fooled(found, y).any()


@pytest.mark.parametrize("cyclic", [False, True])
def test_verdicts_hardly_depend_on_the_search(
    classifier: nn.Module, samples: tuple[Tensor, Tensor], cyclic: bool
) -> None:
    x, y = samples
    victim = victim_of(classifier)
    full = victim.fooled(ascend(victim, x, y, RECIPE, Draws(1, IDS)), y)
    halves = victim.fooled(ascend(victim, x, y, replace(RECIPE, bfloat16=True, cyclic=cyclic), Draws(1, IDS)), y)
    assert 5 < full.sum() < 60
    assert (full != halves).sum() <= 2


def test_doubles_are_never_halved(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    module, x, y = classifier.double(), samples[0].double(), samples[1]
    same = [
        ascend(victim_of(module), x, y, replace(RECIPE, bfloat16=halves), Draws(1, IDS)) for halves in (False, True)
    ]
    assert torch.equal(*same)


def test_a_start_that_only_seems_fooled_is_nobodys_best(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    """From the sample itself, against a model whose loss falls wherever it is climbed."""
    x = samples[0] * 0.5 + 0.25
    wrong = Precise(classifier, torch.tensor([1e3, 0.0, 0.0]))
    uphill = replace(RECIPE, direction=lambda step: -step.gradient.sign(), start=at_clean, steps=3, bfloat16=True)
    victim = victim_of(wrong, epsilon=0.01)
    with torch.no_grad():
        y = classifier(x).argmax(1)
    z = ascend(victim, x, y, uphill, Draws(1, IDS))
    assert (z != x).any(1).all()
