"""Agreement with the authors' program, whose verdicts and losses on a tiny net are kept as numbers.

A sample is a boundary one where the program itself is not of one mind: over its seeds, or at an epsilon that is 2 %
smaller or larger. On all others the verdict has to be the same. APGD is compared loss by loss from a start that both
are given; the ratios are ten larger on both sides, since the program's first checkpoint compares its first loss with
zero instead of that of the start, which shows where losses are negative.
"""

import json
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from advorch.kit.attack.dlr import dlr, rivals, targeted_dlr
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import harden
from advorch.kit.attack.objectives import Objective, cross_entropy
from advorch.kit.attack.recipe import Recipe
from advorch.kit.attack.run import run_attack
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Finish, Victim
from advorch.threat import Norm
from advorch_builtins.attacks import apgd, autoattack, cascade
from advorch_builtins.attacks.catalog_apgd import ApgdParams
from advorch_builtins.attacks.catalog_ensemble import AutoAttackParams

NORMS = (Norm.LINF, Norm.L2, Norm.L1)
PARTS = ("apgd-ce", "apgd-t", "fab-t")


@cache
def known() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(__file__).parent / "fixtures" / "autoattack_verdicts.json").read_text())
    return found


@cache
def net() -> nn.Module:
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 10))
    weights = {name: torch.tensor(known()["weights"][name]) for name in module.state_dict()}
    module.load_state_dict({name: weights[name].view_as(old) for name, old in module.state_dict().items()})
    return module.eval()


@cache
def samples() -> tuple[Tensor, Tensor]:
    digits, rows = load_digits(), known()["rows"]
    return torch.tensor(digits.images[rows] / 16, dtype=torch.float32)[:, None], torch.tensor(digits.target[rows])


def says(norm: Norm, name: str) -> tuple[Tensor, Tensor]:
    """Whom the program calls robust, and of whom it is sure."""
    runs = known()["verdicts"][f"{norm} {name}"]
    robust = torch.tensor([[mark == "1" for mark in run["robust"]] for run in runs])
    return robust[0], (robust == robust[0]).all(0)


def ours(norm: Norm, name: str) -> Tensor:
    """Who withstands one attack of ours, run alone as the program ran its own."""
    version = "plus" if name == "apgd-dlr" else "standard"
    link = next(link for link in autoattack.links(norm, AutoAttackParams(version=version)) if link.name == name)
    return withstands(link.perturb, norm, link.params)


def withstands(perturb: Any, norm: Norm, params: Any) -> Tensor:
    x, y = samples()
    victim = Victim(net(), box=(0.0, 1.0), norm=norm, epsilon=known()["epsilon"][norm])
    return ~run_attack(perturb, victim, x, y, params, Draws(0, torch.arange(len(x)))).success


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", PARTS)
def test_parts_say_what_the_authors_say(name: str, norm: Norm) -> None:
    robust, sure = says(norm, name)
    found = ours(norm, name)
    assert (found != robust)[sure].sum() <= (1 if norm is Norm.L1 else 0)  # where steps differ by what the box holds
    assert (~sure).sum() <= 5
    assert 5 < robust.sum() < len(robust) - 5


@pytest.mark.parametrize("norm", [Norm.LINF, *(pytest.param(norm, marks=pytest.mark.long) for norm in NORMS[1:])])
def test_square_is_as_strong(norm: Norm) -> None:
    """Other squares find others, two of 48 at most; nobody falls who is robust to all that the program has."""
    robust, sure = says(norm, "square")
    weakest, certain = says(norm, "standard")
    found = ours(norm, "square")
    assert (found & ~robust & sure).sum() <= 2
    assert found.sum() <= robust.sum() + 1
    assert not (~found & weakest & certain).any()


@pytest.mark.parametrize(
    ("norm", "precision"),
    [
        *((norm, "fp32") for norm in NORMS),
        (Norm.LINF, "bf16"),
        *(pytest.param(norm, "bf16", marks=pytest.mark.long) for norm in NORMS[1:]),
    ],
)
def test_whole_says_what_the_authors_say(norm: Norm, precision: Literal["fp32", "bf16"]) -> None:
    """With fewer queries: no sample that stands until Square falls to it here."""
    robust, sure = says(norm, "standard")
    found = withstands(autoattack.perturb, norm, AutoAttackParams(queries=30, precision=precision))
    assert torch.equal(found[sure], robust[sure])
    assert (~sure).sum() <= 4


@pytest.mark.parametrize("norm", [Norm.LINF, *(pytest.param(norm, marks=pytest.mark.long) for norm in NORMS[1:])])
def test_cascade_says_what_the_authors_say(norm: Norm) -> None:
    robust, sure = says(norm, "standard")
    found = withstands(cascade.perturb, norm, AutoAttackParams(queries=30, precision="fp32"))
    assert torch.equal(found[sure], robust[sure])


@pytest.mark.long
@pytest.mark.parametrize("norm", NORMS)
def test_all_of_it_says_what_the_authors_say(norm: Norm) -> None:
    robust, sure = says(norm, "standard")
    assert torch.equal(withstands(autoattack.perturb, norm, AutoAttackParams())[sure], robust[sure])
    assert torch.equal(withstands(cascade.perturb, norm, AutoAttackParams())[sure], robust[sure])


def given_start(norm: Norm, x: Tensor) -> Tensor:
    """The same that the program began from."""
    epsilon = known()["iterate_epsilon"][norm]
    noise = torch.linspace(-1, 1, 64, dtype=x.dtype).view(1, 1, 8, 8).roll(3)
    noise = noise * torch.tensor([1.0, -1, 0.5, -0.5], dtype=x.dtype).view(4, 1, 1, 1)
    strong = noise * (noise.abs() > 0.4)
    step = {
        Norm.LINF: noise,
        Norm.L2: noise / noise.flatten(1).norm(dim=1).view(4, 1, 1, 1),
        Norm.L1: strong / strong.flatten(1).abs().sum(1).view(4, 1, 1, 1),
    }[norm]
    return x + 0.9 * epsilon * step


def objectives(logits: Tensor, y: Tensor) -> dict[str, Objective]:
    third = rivals(logits, y)[:, 1]

    def raised(logits: Tensor, y: Tensor) -> Tensor:
        return dlr(logits, y) + 10

    def raised_towards(logits: Tensor, y: Tensor) -> Tensor:
        return targeted_dlr(logits, y, third) + 10

    return {"ce": cross_entropy, "dlr": raised, "dlr-targeted": raised_towards}


@pytest.mark.parametrize("loss", ["ce", "dlr", "dlr-targeted"])
@pytest.mark.parametrize("norm", NORMS)
def test_every_length_of_ascent_ends_at_the_loss_of_theirs(norm: Norm, loss: str) -> None:
    """Steps that set their own length depend on every loss before them, so that one wrong iterate would show.

    In l1 the program knows float32 alone, where a near tie may send a sample another way. A ratio of one is beyond the
    boundary, and from there on without bound.
    """
    value, expected = zip(*(ends(norm, loss, steps) for steps in (1, 2, 5, 10, 20, 50, 100)), strict=True)
    off = (torch.stack(value) - torch.stack(expected)).abs() > 2e-6
    comparable = torch.ones_like(off) if loss == "ce" else torch.stack(expected) < 11
    assert comparable.sum() >= 10
    assert (off & comparable).sum() <= (2 if norm is Norm.L1 else 0)


def ends(norm: Norm, loss: str, steps: int) -> tuple[Tensor, Tensor]:
    """The highest loss of an ascent of so many steps, ours and theirs."""
    kind = torch.float32 if norm is Norm.L1 else torch.float64  # as the program was run
    module, x = deepcopy(net()).to(kind), 0.5 + 0.4 * (samples()[0][:4].to(kind) - 0.5)
    y = module(x).argmax(1)
    start, objective = given_start(norm, x), objectives(module(x), y)[loss]
    epsilon = known()["iterate_epsilon"][norm]
    victim = Victim(module, box=(0.0, 1.0), norm=norm, epsilon=epsilon, finish=Finish.HARDEST)
    z = harden(victim, x, y, [recipe_of(norm, steps, objective, start)], Draws(0, torch.arange(4)))
    expected = torch.tensor(known()["iterates"][f"{norm} {loss} {steps}"], dtype=torch.float64)
    return victim.value(z, y, objective).value.double(), expected


def recipe_of(norm: Norm, steps: int, objective: Objective, start: Tensor) -> Recipe:
    def there(ball: ThreatSet, rng: Draws) -> Tensor:
        return start

    return replace(apgd.ascent(norm, ApgdParams(steps=steps), objective), start=there)
