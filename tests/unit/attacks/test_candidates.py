"""Attacks by labels that begin at samples of the attacker's own, and the control that turns pictures blindly."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.artifacts import Artifact, ArtifactType, DataInput, StoredInput
from advorch.components import Dataset, Model
from advorch.errors import StageFailed
from advorch.hosts.attack import open_job
from advorch.kit.adversarial_set import read_adversarial
from advorch.kit.attack.decision import start_that_fools
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import AttackResult, run_attack
from advorch.kit.attack.victim import Finish, Victim
from advorch.kit.codecs import ModelRecord, write_model
from advorch.kit.data import Data
from advorch.params import Params
from advorch.testing.fakes import FakeContext, registry_of, small_conv
from advorch.threat import Access, Budget, Norm
from advorch_builtins.attacks.catalog_black_box import BOUNDARY, HOPSKIPJUMP
from advorch_builtins.attacks.catalog_controls import SMALL_ROTATION

ATTACKS = pytest.mark.parametrize(
    ("attack", "norm", "params"),
    [
        (BOUNDARY, Norm.L2, {"steps": 300}),
        (HOPSKIPJUMP, Norm.L2, {"steps": 5, "draws": 40}),
        (HOPSKIPJUMP, Norm.LINF, {"steps": 5, "draws": 40}),
    ],
    ids=["boundary", "hopskipjump-l2", "hopskipjump-linf"],
)


class Rare(nn.Module):
    """Class two is a small corner that noise never meets."""

    def forward(self, x: Tensor) -> Tensor:
        corner = (0.02 - x.amax(1)) * 50
        side = x[:, 0] - 0.5
        return torch.stack([-side, side, corner * 100], 1)


def victim_of(module: nn.Module, norm: Norm, **options: Any) -> Victim:
    known = {"box": (0.0, 1.0), "epsilon": 0.2, "access": Access.LABELS, "budget": Budget.MINIMAL, "targeted": True}
    return Victim(module, norm=norm, **(known | options))


def attack_rare(attack: Any, victim: Victim, x: Tensor, **params: Any) -> Tensor:
    found: Tensor = attack.load()(
        victim, x, torch.full((len(x),), 2), attack.params(**params), Draws(3, torch.arange(len(x)))
    )
    return found


@ATTACKS
def test_a_target_that_noise_never_meets_is_reached_from_samples(
    attack: Any, norm: Norm, params: dict[str, Any]
) -> None:
    x = 0.2 + 0.6 * torch.rand(6, 5, generator=torch.Generator().manual_seed(0))
    candidates = torch.cat([torch.rand(20, 5), torch.full((4, 5), 0.01)])
    module = Rare()
    z = attack_rare(attack, victim_of(module, norm, candidates=candidates), x, **params)
    assert (module(z).argmax(1) == 2).all()
    order = torch.inf if norm is Norm.LINF else 2
    assert (
        torch.linalg.vector_norm(z - x, order, dim=1).mean() < torch.linalg.vector_norm(0.01 - x, order, dim=1).mean()
    )
    blind = attack_rare(attack, victim_of(module, norm), x, **params)
    assert (module(blind).argmax(1) != 2).all(), "best effort, and no success"
    assert (blind != x).any(1).all()


@ATTACKS
def test_drawn_targets_are_reached_and_more_steps_bring_nearer(
    attack: Any, norm: Norm, params: dict[str, Any], trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    def run(**changed: Any) -> AttackResult:
        victim = victim_of(trained, norm, candidates=held_out[0][60:])
        rng = Draws(5, torch.arange(40))
        return run_attack(
            attack.load(), victim, held_out[0][:40], held_out[1][:40], attack.params(**(params | changed)), rng
        )

    many, few = run(), run(steps=1)
    right = many.clean_correct
    assert (many.adversarial_prediction == many.target)[right].all()
    assert many.distance[right].mean() < 0.93 * few.distance[right].mean()
    assert many.backwards.sum() == 0


def test_a_start_is_a_candidate_that_belongs_to_its_sample_and_leaves_masked_numbers(
    trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    x, y, candidates = held_out[0][:9], held_out[1][:9], held_out[0][60:]
    victim = victim_of(trained, Norm.L2, targeted=False, candidates=candidates)
    z, fooled = start_that_fools(victim, x, y, 50, Draws(2, torch.arange(9)))
    assert fooled.all()
    assert all(bool((row == candidates).all(1).any()) for row in z)
    alone, _ = start_that_fools(victim, x[4:5], y[4:5], 50, Draws(2, torch.tensor([4])))
    assert torch.equal(alone, z[4:5])
    mask = torch.tensor([[True, True, True, False, True, True]])
    masked = victim_of(trained, Norm.L2, targeted=False, candidates=candidates, mask=mask)
    start, _ = start_that_fools(masked, x, y, 50, Draws(2, torch.arange(9)))
    assert torch.equal(start[:, 3], x[:, 3])


def stage(tmp_path: Path, trained: nn.Module, held_out: tuple[Tensor, Tensor], width: int) -> Any:
    x, y = held_out
    names = ("a", "b", "c")
    data = Data(x=x[:12], y=y[:12], ids=torch.arange(12), classes=names, box=(0.0, 1.0))
    own = Data(x=x[60:, :width], y=y[60:], ids=torch.arange(len(x) - 60), classes=names, box=(0.0, 1.0))
    record = ModelRecord(
        component="model/net", params={}, signature=data.signature, access=Access.LABELS, label="victim"
    )
    write_model(tmp_path / "victim", trained, record)
    net = Model(name="net", summary="", params=Params, load=lambda: lambda params, signature: rebuilt())
    sets = [
        Dataset(name=name, summary="", params=Params, load=lambda chosen=chosen: lambda params, split: chosen)
        for name, chosen in (("data", data), ("own", own))
    ]
    inputs = {
        "model": (StoredInput(artifact=Artifact(type=ArtifactType.MODEL, files={}), folder=tmp_path / "victim"),),
        "data": (DataInput(uses="data", params={}, split="test", digest="d"),),
        "candidates": (DataInput(uses="own", params={}, split="test", digest="o"),),
    }
    context = FakeContext(scratch=tmp_path, inputs=inputs, components=registry_of(net, *sets))
    settings = {"epsilon": 0.2, "norm": "l2", "targeted": True, "steps": 2, "draws": 20}
    return open_job(context, HOPSKIPJUMP, HOPSKIPJUMP.schema().parse(settings))


def rebuilt() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 3))


def test_a_stage_hands_candidates_to_its_attack(
    tmp_path: Path, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    rows = stage(tmp_path, trained, held_out, 6).map(0, 12)
    right = rows["clean_prediction"].eq(rows["y"])
    assert rows["adversarial_prediction"].eq(rows["target"])[right].all()
    with pytest.raises(StageFailed, match="the candidates are of shape"):
        stage(tmp_path, trained, held_out, 5)


def test_what_is_handed_on_says_what_was_aimed_at_and_what_was_seen(
    tmp_path: Path, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    job = stage(tmp_path, trained, held_out, 6)
    rows = job.map(0, 12)
    found = read_adversarial(job.reduce(rows).outputs["adversarial"].folder)
    assert found.target is not None
    assert torch.equal(found.target, rows["target"])
    assert not found.target.eq(found.y).any()
    assert (found.access, found.surrogates) == (Access.LABELS, ())


def test_only_attacks_by_labels_take_candidates() -> None:
    assert "candidates" in BOUNDARY.inputs()
    assert "candidates" not in SMALL_ROTATION.inputs()


def turned(degrees: float, finish: Finish = Finish.FOOLED, **options: Any) -> tuple[Tensor, Tensor, Victim]:
    x = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    module = small_conv(1, 8, 3).eval()
    victim = Victim(
        module, box=(0.0, 1.0), norm=Norm.UNBOUNDED, epsilon=0.0, access=Access.LABELS, finish=finish, **options
    )
    params = SMALL_ROTATION.params(degrees=degrees)
    z = SMALL_ROTATION.load()(victim, x, module(x).argmax(1), params, Draws(1, torch.arange(5)))
    return x, z, victim


def test_a_small_angle_changes_little_and_a_large_one_much() -> None:
    x, small, _ = turned(2.0)
    _, large, _ = turned(90.0)
    assert 0 < (small - x).abs().mean() < 0.3 * (large - x).abs().mean()
    assert small.min() >= 0
    assert small.max() <= 1


def test_training_takes_one_draw_and_asks_nothing() -> None:
    _, _, victim = turned(5.0, Finish.LAST)
    assert victim.usage(5).queries.eq(0).all()
