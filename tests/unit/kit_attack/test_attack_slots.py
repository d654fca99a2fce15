"""Others take the places of those who are fooled, and nobody's result changes."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.attack.directions import sign
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import Recipe, ascend, relay
from advorch.kit.attack.objectives import margin
from advorch.kit.attack.schedules import share_of_epsilon
from advorch.kit.attack.starts import at_random
from advorch.kit.attack.surveys import averaged
from advorch.kit.attack.victim import Victim
from advorch.threat import Norm

IDS = torch.arange(64)
RECIPE = Recipe(steps=12, direction=sign, schedule=share_of_epsilon(0.25), start=at_random)


class Counting(nn.Module):
    """Remembers how many rows every call brought."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.rows: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.rows.append(len(x))
        out: Tensor = self.module(x)
        return out


def search(
    module: nn.Module, x: Tensor, y: Tensor, recipes: list[Recipe], batch: int | None, **options: Any
) -> tuple[Tensor, Victim, list[int]]:
    counting = Counting(module)
    options = {"box": (0.0, 1.0), "norm": Norm.LINF, "epsilon": 0.25} | options
    victim = Victim(counting, batch=batch, **options)
    found = relay(victim, x, y, recipes, Draws(1, IDS))
    return found, victim, list(counting.rows)


@pytest.mark.parametrize("batch", [1, 5, 16, 63])
@pytest.mark.parametrize(
    "recipes",
    [
        [RECIPE],
        [replace(RECIPE, cyclic=True), replace(RECIPE, objective=margin), replace(RECIPE, steps=1)],
        [replace(RECIPE, slope=averaged(2)), RECIPE],
    ],
    ids=["one", "three", "a slope of its own"],
)
def test_results_are_those_of_one_large_batch(
    classifier: nn.Module, samples: tuple[Tensor, Tensor], recipes: list[Recipe], batch: int
) -> None:
    module, x, y = classifier.double(), samples[0].double(), samples[1]
    whole, one, _ = search(module, x, y, recipes, None)
    pooled, many, rows = search(module, x, y, recipes, batch)
    assert (pooled - whole).abs().max() < 1e-9
    assert torch.equal(one.first_step(64), many.first_step(64))
    assert torch.equal(one.usage(64).forwards, many.usage(64).forwards)
    assert max(rows) <= batch
    fooled = many.fooled(pooled, y)
    assert 10 < fooled.sum() < 60
    assert torch.equal(many.first_step(64) >= 0, fooled)


def test_places_do_not_stay_empty(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    """Half of the samples fall early: in batches that wait for the last one the model works on few rows."""
    x, y = samples
    long = replace(RECIPE, steps=30)
    _, _, pooled = search(classifier, x, y, [long], 16, epsilon=0.4)
    waiting: list[int] = []
    for start in range(0, 64, 16):
        rows = slice(start, start + 16)
        counting = Counting(classifier)
        victim = Victim(counting, box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.4)
        ascend(victim, x[rows], y[rows], long, Draws(1, IDS[rows]))
        waiting += counting.rows
    assert sum(pooled) == sum(waiting)
    assert len(pooled) < 0.8 * len(waiting)


def test_a_search_in_bfloat16_is_pooled_too(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    x, y = samples
    halves = replace(RECIPE, bfloat16=True)
    whole, one, _ = search(classifier, x, y, [halves, halves], None)
    pooled, many, rows = search(classifier, x, y, [halves, halves], 16)
    verdicts = one.fooled(whole, y), many.fooled(pooled, y)
    assert max(rows) <= 16
    assert (verdicts[0] != verdicts[1]).sum() <= 2


def test_steps_are_counted_over_restarts(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    x, y = samples
    short = replace(RECIPE, steps=2)
    z, victim, _ = search(classifier, x, y, [short] * 5, None, epsilon=0.2)
    first = victim.first_step(64)
    fooled = victim.fooled(z, y)
    assert torch.equal(first >= 0, fooled)
    assert 2 < first.max() <= 5 * 2
    _, other, _ = search(classifier, x, y, [short] * 5, 7, epsilon=0.2)
    assert torch.equal(other.first_step(64), first)


def test_the_step_is_that_of_the_point_that_is_returned(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    """So many steps and not one fewer: whoever takes one step less is not yet fooled."""
    x, y = samples
    z, victim, _ = search(classifier, x, y, [RECIPE], None)
    first, late = victim.first_step(64), None
    for steps in (2, 3):
        late = first == steps
        shorter = replace(RECIPE, steps=steps - 1)
        before, _, _ = search(classifier, x, y, [shorter], None)
        same, _, _ = search(classifier, x, y, [replace(RECIPE, steps=steps)], None)
        assert late.any()
        assert not victim.fooled(before, y)[late].any()
        assert torch.equal(same[late], z[late])
