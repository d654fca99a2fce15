"""Any attack can be listened to."""

from typing import Any

import pytest
import torch
from torch import Tensor

from advorch.api import Access, Attack, Norm, Params, ThreatModel
from advorch.components import AnyComponent
from advorch.errors import StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.victim import Victim
from advorch.kit.evaluation.attackers import Attacker, attacker, class_named, name_attackers
from advorch.kit.evaluation.curves import Axis, Curve, curves
from advorch.kit.evaluation.panels import Tile, formula, shown_box, stretched, tile_grid
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.kit.evaluation.trace import trace
from advorch.params import AttackRef
from advorch.testing.fakes import LinearModel, tiny_data

PNG = b"\x89PNG"


class Nothing(Params):
    """Nothing to set."""


def stepping(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    """Three steps with all samples at once."""
    z = x
    for _ in range(3):
        z = victim.ball(x).project(z + 0.01 * victim.gradient(z, y).sign())
    return z


def straggling(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    """The same, but two samples of the batch ahead of the others."""
    return torch.cat(
        [stepping(victim.take(part), x[part], y[part], params, rng) for part in torch.arange(len(x)).split(2)]
    )


def looking(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    """Never asks for a gradient."""
    for share in (0.2, 0.4):
        victim.scores(victim.ball(x).project(x + share * victim.ball(x).epsilon[:, None]))
    return x


def named(name: str, perturb: Any, access: Access = Access.GRADIENTS) -> Attack[Nothing]:
    threat = ThreatModel(access=access, norms=frozenset({Norm.LINF}))
    return Attack(name=name, summary="a stand-in", params=Nothing, load=lambda: perturb, threat=threat)


STAND_INS: dict[str, AnyComponent] = {
    component.id: component
    for component in (
        named("stepping", stepping), named("straggling", straggling), named("looking", looking, Access.SCORES)
    )
}  # fmt: skip


@pytest.fixture
def subject() -> Subject:
    torch.set_num_threads(1)
    model = SubjectModel(label="linear", digest="1", module=LinearModel(12, 3).eval())
    return Subject(data=tiny_data(5, (12,), 3), models=(model,), lookup=STAND_INS.__getitem__, seed=3)


def ready(subject: Subject, uses: str, **values: Any) -> Attacker:
    return attacker(subject, AttackRef.parse({"uses": uses, "with": {"epsilon": 0.1, **values}}))


def test_every_step_is_heard_from_the_sample_to_the_end(subject: Subject) -> None:
    model, data = subject.models[0], subject.data
    said = trace(ready(subject, "stepping"), model, data, data.y, 3)
    assert said.shape == (5, 4, 3)
    end = ready(subject, "stepping").perturb(model, data, data.y)
    torch.testing.assert_close(said[:, 0], model.module(data.x).detach())
    torch.testing.assert_close(said[:, 3], model.module(end).detach())


def test_an_attack_out_of_step_is_followed_sample_by_sample(subject: Subject) -> None:
    model, data = subject.models[0], subject.data
    alone = trace(ready(subject, "straggling"), model, data, data.y, 3)
    torch.testing.assert_close(alone, trace(ready(subject, "stepping"), model, data, data.y, 3))


def test_without_gradients_every_look_counts(subject: Subject) -> None:
    model, data = subject.models[0], subject.data
    said = trace(ready(subject, "looking"), model, data, data.y, 4)
    torch.testing.assert_close(said[:, 0], model.module((data.x + 0.02).clamp(0, 1)).detach())
    torch.testing.assert_close(said[:, 2:], model.module(data.x).detach()[:, None].expand(-1, 3, -1))


def test_attacks_that_are_called_alike_show_in_what_they_differ(subject: Subject) -> None:
    names = name_attackers(
        [ready(subject, "stepping"), ready(subject, "looking"), ready(subject, "stepping", epsilon=0.2)]
    )
    assert names == ("stepping linf eps 0.1", "looking linf eps 0.1", "stepping linf eps 0.2")


def test_a_model_that_grants_too_little_is_not_attacked(subject: Subject) -> None:
    closed = SubjectModel(label="closed", digest="2", module=subject.models[0].module, access=Access.SCORES)
    with pytest.raises(StageFailed, match="needs gradients"):
        ready(subject, "stepping").perturb(closed, subject.data, subject.data.y)
    with pytest.raises(StageFailed, match="does not work in l2"):
        ready(subject, "stepping", norm="l2")


def test_classes_are_found_by_name(subject: Subject) -> None:
    assert class_named(subject, "class 2") == 2
    assert class_named(subject, "") is None


def test_curves_and_tiles_are_the_same_bytes_twice() -> None:
    axis = Axis(label="steps")
    panels = {
        "one $": {"a": Curve(x=[0, 1], y=[0.1, 0.9], low=[0, 0.8], high=[0.2, 1]), "b": Curve(x=[0, 1], y=[1, 1])},
        "two": {"b": Curve(x=[0, 1], y=[0.5, 1])},
    }
    first, second = (curves(panels, axis, Axis(label="share", share=True)) for _ in range(2))
    assert first == second
    assert first.startswith(PNG)
    tile = Tile(image=torch.rand(3, 4, 4), caption="a $cat$\n99%", wrong=True)
    rows = {"clean": [tile, tile], "attacked": [tile]}
    assert tile_grid(rows) == tile_grid(rows)
    assert formula([[tile, tile, tile]], ["+", "="], ["x", "y", "z"]).startswith(PNG)


def test_ranges_for_drawing() -> None:
    x = torch.tensor([[-2.0, 2.0]])
    assert shown_box(None, x) == (-2.0, 2.0)
    assert shown_box((0.0, 1.0), x) == (0.0, 1.0)
    assert shown_box(None, torch.zeros(1, 2)) == (0.0, 1.0)
    assert stretched(torch.tensor([-0.1, 0.0, 0.05])).tolist() == pytest.approx([0, 0.5, 0.75])
    assert stretched(torch.zeros(2)).tolist() == [0.5, 0.5]
