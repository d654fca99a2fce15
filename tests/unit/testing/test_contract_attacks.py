"""The suite notices what it says it notices: each defect is planted in an attack that is otherwise right."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from advorch.api import Access, Attack, Budget, Goal, Norm, Params, ThreatModel
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.victim import Victim
from advorch.testing.check import Verdict
from advorch.testing.contract import checks_for

Perturb = Callable[[Victim, Tensor, Tensor, Params, Draws], Tensor]
BOTH = frozenset({Goal.UNTARGETED, Goal.TARGETED})


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def fgsm(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    ball = victim.ball(x)
    return ball.project(x + scaled(ball.epsilon, x) * victim.gradient(x, y).sign())


def scaled(epsilon: Tensor, like: Tensor) -> Tensor:
    return epsilon.reshape(-1, *[1] * (like.dim() - 1))


def attack(perturb: Perturb, **threat: Any) -> Attack[Params]:
    facts: dict[str, Any] = {"access": Access.GRADIENTS, "norms": frozenset({Norm.LINF}), "goals": BOTH, **threat}
    return Attack(name="planted", summary="a defect", params=Params, threat=ThreatModel(**facts), load=lambda: perturb)


def broken(component: Attack[Params]) -> dict[str, str]:
    results = [check.result() for check in checks_for(component)]
    return {result.check: result.reason for result in results if result.verdict is Verdict.BROKEN}


def test_an_attack_that_is_right_passes() -> None:
    assert broken(attack(fgsm)) == {}


def stands_still(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    victim.gradient(x, y)
    return x


def moves_one_sample(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    z = fgsm(victim, x, y, params, rng)
    return torch.cat([z[:1], x[1:]])


def leaves_the_ball(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    z = fgsm(victim, x, y, params, rng)
    return (x + (z - x) * 1.001).clamp(0, 1)


def leaves_the_box(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    return x + 0.999 * scaled(victim.ball(x).epsilon, x) * victim.gradient(x, y).sign()


def divides_by_zero(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    return fgsm(victim, x, y, params, rng) * (x.sum() / x.sum()).log() / 0


def flattens(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    return fgsm(victim, x, y, params, rng).flatten(1)


def widens(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    return fgsm(victim, x, y, params, rng).double()


def narrows(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    return fgsm(victim, x, y, params, rng).float()


def stays_on_a_graph(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    return fgsm(victim, x, y, params, rng).requires_grad_()


def draws_from_everybody(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    z = fgsm(victim, x, y, params, rng)
    return x + (z - x) * (0.9 + 0.1 * torch.rand(()))


def couples_the_batch(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    ball = victim.ball(x)
    return ball.project(x + scaled(ball.epsilon, x) * victim.gradient(x, y).mean(0, keepdim=True).sign())


def hides_its_draws(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    return victim.ball(x).project(x + (fgsm(victim, x, y, params, rng) - x) * rng.uniform((), 0.95, 1, like=x).mean())


def spoils_the_model(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    with torch.no_grad():
        for parameter in victim.module.parameters():
            parameter.add_(1e-3)
    return fgsm(victim, x, y, params, rng)


def swallows_errors(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    try:
        return fgsm(victim, x, y, params, rng)
    except RuntimeError:
        return x


def freezes_the_border(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    z = fgsm(victim, x, y, params, rng)
    return torch.where((x > 0) & (x < 1), z, x)


def forgets_the_target(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    way = -1 if victim.targeted else 1
    ball = victim.ball(x)
    return ball.project(x + way * scaled(ball.epsilon, x) * victim.gradient(x, y).sign())


def takes_one_epsilon(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    epsilon = victim.ball(x).epsilon.max()
    return (x + epsilon * victim.gradient(x, y).sign()).clamp(0, 1)


def always_moves(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    z = fgsm(victim, x, y, params, rng)
    return torch.where(scaled(victim.ball(x).epsilon, x) == 0, (x + 1e-3).clamp(0, 1), z)


def is_too_shy(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    return x + (fgsm(victim, x, y, params, rng) - x) * 0.1


DEFECTS: dict[str, tuple[Perturb, dict[str, Any], str]] = {
    "stands still": (stands_still, {}, "moves every sample"),
    "moves one sample": (moves_one_sample, {}, "moves every sample"),
    "leaves the ball": (leaves_the_ball, {}, "stays in box and ball to one ulp"),
    "leaves the box": (leaves_the_box, {}, "moves samples that are exactly zeros and ones"),
    "is not finite": (divides_by_zero, {}, "stays in box and ball to one ulp"),
    "changes the shape": (flattens, {}, "keeps shape and type"),
    "changes the type": (widens, {}, "keeps shape and type"),
    "knows one type": (narrows, {}, "works in double precision"),
    "stays on a graph": (stays_on_a_graph, {}, "keeps shape and type"),
    "draws from the global state": (draws_from_everybody, {"stochastic": True}, "draws the same twice"),
    "depends on its batch": (couples_the_batch, {}, "attacks a sample alone as in a batch"),
    "hides that it draws": (hides_its_draws, {}, "is deterministic unless declared stochastic"),
    "spoils the model": (spoils_the_model, {}, "leaves model and process as they were"),
    "swallows errors": (swallows_errors, {}, "leaves no trace when the model fails"),
    "freezes border values": (freezes_the_border, {}, "moves samples that are exactly zeros and ones"),
    "runs from its target": (forgets_the_target, {}, "pursues its target"),
    "takes one epsilon for all": (takes_one_epsilon, {}, "obeys an epsilon for each sample"),
    "moves at epsilon zero": (always_moves, {}, "returns the clean sample at epsilon zero"),
    "hardly moves": (is_too_shy, {}, "crosses a linear boundary within reach"),
    "asks for gradients undeclared": (fgsm, {"access": Access.SCORES}, "asks for no more than it declares"),
    "spends all for the least": (fgsm, {"budget": Budget.MINIMAL}, "finds the shortest way over a linear boundary"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_noticed(defect: str) -> None:
    perturb, threat, check = DEFECTS[defect]
    found = broken(attack(perturb, **threat))
    assert check in found, f"noticed only {sorted(found)}"
    assert found[check]
    assert "\n" not in found[check]


def test_an_attack_that_refuses_everything_is_broken() -> None:
    def refuses(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
        from advorch.api import ErrorClass, StageFailed

        raise StageFailed("only on Sundays", error_class=ErrorClass.USER)

    assert "only on Sundays" in broken(attack(refuses))["keeps shape and type"]


def test_an_attack_may_refuse_vectors() -> None:
    def images_only(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
        from advorch.api import ErrorClass, StageFailed

        if x.dim() != 4:
            raise StageFailed("takes images", error_class=ErrorClass.USER)
        return fgsm(victim, x, y, params, rng)

    assert broken(attack(images_only)) == {}
