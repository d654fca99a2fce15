"""Models that may refuse: whom a refusal saves, and that attacks work against both halves."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.components import Attack
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.refusal import as_right, fooled_despite, refuses
from advorch.kit.attack.run import run_attack
from advorch.kit.attack.victim import Victim
from advorch.kit.data import Data
from advorch.registry.discovery import discover
from advorch.testing.common import small_params
from advorch.testing.fakes import Hesitant, LinearModel, learnable_data, small_conv
from advorch.threat import Goal, Norm

REGISTRY = discover()
LOGITS = torch.tensor([[3.0, 1.0, 0.0], [1.0, 3.0, 0.0], [1.0, 3.0, 5.0], [3.0, 1.0, 5.0]])
Y = torch.zeros(4, dtype=torch.int64)


class Wall(nn.Module):
    """Class 1 right of 0.5; refuses wherever the second number leaves the middle third."""

    refuses = True

    def forward(self, x: Tensor) -> Tensor:
        side = 4 * (x[:, 0] - 0.5)
        logits = torch.stack([-side, side], 1)
        strange = 10 * ((x[:, 1] - 0.5).abs() - 1 / 6)
        return torch.cat([logits, (logits.amax(1) + strange)[:, None]], 1)


def victim(module: nn.Module, **values: object) -> Victim:
    return Victim(module, box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.3, **values)  # type: ignore[arg-type]


def test_a_refusal_fools_nobody() -> None:
    assert fooled_despite(LOGITS, Y, refusing=True).tolist() == [False, True, False, False]
    assert fooled_despite(LOGITS, Y, refusing=False).tolist() == [False, True, True, True]


def test_refusing_counts_as_being_right() -> None:
    seen = as_right(LOGITS, Y)
    assert seen.shape == (4, 2)
    assert torch.equal(seen.argmax(1).ne(Y), fooled_despite(LOGITS, Y, refusing=True))
    assert seen[:, 0].tolist() == [3.0, 1.0, 5.0, 5.0]


def test_only_who_says_so_refuses() -> None:
    assert refuses(Hesitant(LinearModel(4)))
    assert not refuses(LinearModel(4))


def test_refusing_is_no_class() -> None:
    model = Hesitant(LinearModel(4, 3))
    assert victim(model).classes(torch.rand(2, 4)) == 3
    assert victim(LinearModel(4, 3)).classes(torch.rand(2, 4)) == 3


def test_a_surrogate_in_its_place_does_not_refuse() -> None:
    other = victim(Hesitant(LinearModel(4))).replaced_by(LinearModel(4))
    assert not other.refuses


def test_the_gradient_leads_past_the_detector() -> None:
    """Already another class, and refused: the way up is the way back into the middle."""
    point = torch.tensor([[0.8, 0.9]])
    slope = victim(Wall()).value_and_gradient(point, torch.tensor([0]))
    assert float(slope.gradient[0, 1]) < 0
    assert not bool(victim(Wall()).fooled(point, torch.tensor([0])))


def test_every_kind_of_attack_ends_where_it_is_not_refused() -> None:
    x = torch.tensor([[0.35, 0.7], [0.4, 0.5], [0.3, 0.62]])
    y = torch.tensor([0, 0, 0])
    refused = Wall()(x).argmax(1) == 2
    for name in ("pgd", "apgd-ce", "apgd-t", "fmn", "deepfool", "fab", "square"):
        component = REGISTRY.component(f"attack/{name}")
        few = {"queries": 100} if name == "square" else {"steps": 20}
        params = component.nested_schema().parse({"epsilon": 0.3, **few})
        result = run_attack(component.load(), victim(Wall(), budget=component.threat.budget), x, y, params, Draws(0, y))
        assert result.clean_correct.tolist() == (~refused).tolist()
        assert bool((result.adversarial_prediction[result.success] == 1).all()), name
        if name != "square":  # its squares find the narrow way by luck alone
            assert bool(result.success[~refused].any()), name
        if name in ("pgd", "apgd-ce", "apgd-t"):
            assert bool(result.success[~refused].all()), name


def test_targets_are_classes() -> None:
    x, y = torch.rand(64, 4), torch.zeros(64, dtype=torch.int64)
    component = REGISTRY.component("attack/pgd")
    params = component.nested_schema().parse({"epsilon": 0.3, "targeted": True, "steps": 2})
    model = Hesitant(LinearModel(4, 3), least=-100.0)
    target = run_attack(component.load(), victim(model, targeted=True), x, y, params, Draws(0, torch.arange(64))).target
    assert set(target.tolist()) == {1, 2}


class Wary(Hesitant):
    """Refuses images of too much contrast."""

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x)
        return torch.cat([logits, (logits.amax(1) + 2 * (x.flatten(1).std(1) - 0.24))[:, None]], 1)


def knowing(data: Data) -> nn.Module:
    """A small net that has just become right about all of them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = small_conv(1, 8, 4)
        optimizer = torch.optim.Adam(module.parameters(), 0.02)
        while not torch.equal(module.eval()(data.x).argmax(1), data.y):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module.train()(data.x), data.y).backward()
            optimizer.step()
    return module.eval()


ATTACKS = [
    component
    for component in map(REGISTRY.component, REGISTRY.ids())
    if isinstance(component, Attack) and not component.perturbation and not component.surrogates
]


@pytest.fixture(scope="module")
def successes() -> dict[str, int]:
    """How often each attack fooled the wary model, whatever its goal."""
    return {}


@pytest.mark.parametrize("component", ATTACKS, ids=lambda component: component.name)
def test_no_attack_takes_a_refusal_for_a_success(component: Attack[Any], successes: dict[str, int]) -> None:
    data = learnable_data(8, (1, 8, 8), 4)
    model = Wary(knowing(data)).eval()
    for targeted in {goal is Goal.TARGETED for goal in component.threat.goals}:
        prey = Victim(
            model, box=(0.0, 1.0), norm=min(component.threat.norms), epsilon=0.5, access=component.threat.access,
            targeted=targeted, budget=component.threat.budget,
        )  # fmt: skip
        params = small_params(component)
        found = run_attack(component.load(), prey, data.x, data.y, params, Draws(0, data.ids))
        assert not bool(found.adversarial_prediction[found.success].eq(4).any())
        with torch.no_grad():
            known = model(found.adversarial).argmax(1)
        assert torch.equal(found.adversarial_prediction, known)  # what is said of a point is what the model says
        successes[component.name] = successes.get(component.name, 0) + int(found.success.sum())


def test_most_attacks_find_their_way_past_the_refusal(successes: dict[str, int]) -> None:
    """Else nothing was tested above."""
    assert len(successes) == len(ATTACKS)
    assert sum(count > 0 for count in successes.values()) > 0.8 * len(ATTACKS)
