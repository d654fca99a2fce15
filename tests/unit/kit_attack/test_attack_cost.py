"""What a step costs, counted: kernels beyond the model's own, waits for the device, passes through the model."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from advorch.api import Params
from advorch.kit.attack import climb
from advorch.kit.attack.directions import sign
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.layout import channels_last
from advorch.kit.attack.loop import Recipe, ascend
from advorch.kit.attack.objectives import cross_entropy
from advorch.kit.attack.run import run_attack
from advorch.kit.attack.schedules import share_of_epsilon
from advorch.kit.attack.starts import at_random
from advorch.kit.attack.victim import Finish, Victim
from advorch.threat import Access, Norm

SIGNED = Recipe(steps=1, direction=sign, schedule=share_of_epsilon(0.1), start=at_random)
FEW, MANY = 16, 56
WAITS = ("aten._local_scalar_dense", "aten.nonzero", "aten.masked_select", "aten.equal", "aten.is_nonzero")
FREE = ("aten.detach", "aten.alias", "aten.lift_fresh")


class Kernels(TorchDispatchMode):
    """Counts operations that do work: a view or a detached twin does none."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.is_view and not str(func).startswith(FREE):
            self.found[str(func)] += 1
        return func(*args, **(kwargs or {}))

    def waits(self) -> int:
        return sum(count for name, count in self.found.items() if name.startswith(WAITS))


def kernels_of(work: Callable[[], object]) -> Kernels:
    with Kernels() as kernels:
        work()
    return kernels


def a_step(work: Callable[[int], object]) -> tuple[float, float]:
    """Kernels and waits by step: the start and the end cost the same whatever lies between."""
    few, many = (kernels_of(lambda steps=steps: work(steps)) for steps in (FEW, MANY))
    steps = MANY - FEW
    return (many.found.total() - few.found.total()) / steps, (many.waits() - few.waits()) / steps


def unshaken(module: nn.Module, finish: Finish, recipe: Recipe = SIGNED) -> Callable[[int], object]:
    """Nobody is fooled within this epsilon, so that every step is taken by everybody."""
    x = torch.rand(32, 12, generator=torch.Generator().manual_seed(0))
    y = module(x).argmax(1)

    def work(steps: int) -> Tensor:
        victim = Victim(module, box=(0.0, 1.0), norm=Norm.LINF, epsilon=1e-6, finish=finish)
        return ascend(victim, x, y, replace(recipe, steps=steps), Draws(0, torch.arange(32)))

    return work


def slope(module: nn.Module) -> int:
    """Forward pass, objective and input gradient: the model's own share of a step."""
    x, y = torch.rand(32, 12), torch.zeros(32, dtype=torch.int64)
    victim = Victim(module, box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.1)
    return kernels_of(lambda: victim.value_and_gradient(x, y)).found.total()


def test_a_step_of_training_is_three_kernels_and_no_wait(classifier: nn.Module) -> None:
    """Sign, add, cut to the box."""
    kernels, waits = a_step(unshaken(classifier, Finish.LAST))
    assert kernels - slope(classifier) == 3
    assert waits == 0


def test_a_step_of_an_evaluation_judges_remembers_and_looks_for_little_more(classifier: nn.Module) -> None:
    kernels, waits = a_step(unshaken(classifier, Finish.FOOLED, replace(SIGNED, cyclic=True)))
    assert kernels - slope(classifier) <= 15
    assert waits <= 1


def test_where_looking_means_waiting_there_is_one_wait_in_five_steps(
    classifier: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(climb, "_always_looks", lambda ascent: False)
    kernels, waits = a_step(unshaken(classifier, Finish.FOOLED, replace(SIGNED, cyclic=True)))
    assert kernels - slope(classifier) <= 20
    assert waits <= 0.2


def test_the_objective_is_little_beside_the_usual_one() -> None:
    """By kernels on one row of logits a sample; the usual one is four, and blind where a model is certain."""
    logits, y = torch.randn(32, 10), torch.zeros(32, dtype=torch.int64)

    def differentiated(loss: Callable[[Tensor, Tensor], Tensor]) -> int:
        point = logits.clone().requires_grad_()
        return kernels_of(lambda: torch.autograd.grad(loss(point, y), point, torch.ones(32))).found.total()

    usual = differentiated(lambda found, label: functional.cross_entropy(found, label, reduction="none"))
    assert differentiated(cross_entropy) - usual <= 15


class Counted(nn.Module):
    """How many rows went through a model."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module, self.rows = module, 0

    def forward(self, x: Tensor) -> Tensor:
        self.rows += len(x)
        out: Tensor = self.module(x)
        return out


@pytest.mark.parametrize("access", [Access.GRADIENTS, Access.SCORES])
def test_one_step_asks_the_model_twice(classifier: nn.Module, samples: tuple[Tensor, Tensor], access: Access) -> None:
    """Before and after: the pass that finds who is right is the one that is differentiated."""
    module, recipe = Counted(classifier), replace(SIGNED, start=lambda ball, _: ball.x)

    def perturb(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
        return ascend(victim, x, y, recipe, rng) if victim.access is Access.GRADIENTS else x

    victim = Victim(module, box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.1, access=access, finish=Finish.LAST)
    run_attack(perturb, victim, *samples, Params(), Draws(0, torch.arange(64)))
    assert module.rows == 2 * 64


def test_the_slope_of_the_first_look_is_that_of_another_one(
    classifier: nn.Module, samples: tuple[Tensor, Tensor]
) -> None:
    x, y = samples[0], samples[1].clone()
    y[:9] = (y[:9] + 1) % 3
    rows = torch.arange(9, 64)
    looked, fresh = (Victim(classifier, box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.1) for _ in range(2))
    logits = looked.first_look(x)
    assert not logits.requires_grad
    expected = fresh.take(rows).value_and_gradient(x[rows], y[rows])
    found = looked.take(rows).value_and_gradient(x[rows], y[rows])
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    assert torch.equal(looked.usage(64).forwards, fresh.usage(64).forwards)


@pytest.mark.parametrize("elsewhere", ["moved", "another model", "bfloat16", "later"])
def test_the_first_look_is_for_nobody_else(
    classifier: nn.Module, samples: tuple[Tensor, Tensor], elsewhere: str
) -> None:
    module, (x, y) = Counted(classifier), samples
    victim = Victim(module, box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.1)
    victim.first_look(x)
    if elsewhere == "later":
        victim.value_and_gradient(x, y)
    module.rows = 0
    asked = victim.replaced_by(Counted(classifier)) if elsewhere == "another model" else victim
    with torch.autocast("cpu", torch.bfloat16, enabled=elsewhere == "bfloat16"):
        asked.value_and_gradient(x + 0.1 if elsewhere == "moved" else x, y)
    assert (module if asked is victim else asked.module).rows == 64  # type: ignore[union-attr]


class Images(nn.Module):
    """Two convolutions, flattened by `view` or not."""

    def __init__(self, *, insists: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 8, 3, padding=1))
        self.head, self.insists = nn.Linear(8 * 36, 3), insists

    def forward(self, x: Tensor) -> Tensor:
        seen = self.body(x)
        out: Tensor = self.head(seen.view(len(x), -1) if self.insists else seen.flatten(1))
        return out


@pytest.mark.parametrize("insists", [False, True])
def test_the_layout_of_convolutions_changes_no_number_and_is_put_back(insists: bool) -> None:
    torch.manual_seed(0)
    module, x = Images(insists=insists).eval(), torch.rand(16, 1, 6, 6)
    places = {name: (tensor.data_ptr(), tensor.stride()) for name, tensor in module.state_dict().items()}
    y = module(x).argmax(1)
    layouts = []

    def perturb(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
        layouts.append(module.body[2].weight.stride())  # type: ignore[union-attr]
        return ascend(victim, x, y, replace(SIGNED, steps=3), rng)

    victim = Victim(module, box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.1, finish=Finish.LAST)
    found = run_attack(perturb, victim, x, y, Params(), Draws(0, torch.arange(16)))
    expected = ascend(victim, x, y, replace(SIGNED, steps=3), Draws(0, torch.arange(16)))
    assert torch.allclose(found.adversarial, expected, atol=1e-5)
    assert layouts == [(36, 9, 3, 1) if insists else (36, 1, 12, 4)]
    assert {name: (tensor.data_ptr(), tensor.stride()) for name, tensor in module.state_dict().items()} == places


def test_the_layout_is_put_back_after_an_error() -> None:
    module = Images(insists=False)
    before = module.body[2].weight.data_ptr()  # type: ignore[union-attr]
    with pytest.raises(ZeroDivisionError), channels_last(module):
        raise ZeroDivisionError
    assert module.body[2].weight.data_ptr() == before  # type: ignore[union-attr]
