"""Perturbations that are fitted over a data set: what they gain, and that nothing depends on how they are computed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.components import Perturbation
from advorch.errors import StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.victim import Victim
from advorch.kit.data import Data
from advorch.kit.perturbation.applying import apply
from advorch.kit.perturbation.fitted import Kind, Print
from advorch.kit.perturbation.fitting import FitTask, fit
from advorch.kit.perturbation.printable import non_printability, palette_of
from advorch.seeds import Seeds
from advorch.testing.fakes import FakeContext, LinearModel, learnable_data, small_conv, tiny_data
from advorch.threat import Norm
from advorch_builtins.attacks.catalog_fitted import PATCH, STICKER, TEXTURE, UNIVERSAL
from advorch_builtins.attacks.universal_steps import shortest_ways

STILL = {"yaw": 0, "pitch": 0, "roll": 0, "scale": [1, 1], "shift": 0, "distance": [500, 500], "pixels": [999, 999]}
DULL = {"brightness": 0, "contrast": [1, 1], "gamma": [1, 1]}


def fitted(
    component: Perturbation[Any], task: FitTask, folder: Path, *, batch: int = 16, **params: Any
) -> tuple[Print, dict[str, float]]:
    fitting = component.load()(task, component.params.parse(params))
    return fit(fitting, task, FakeContext(scratch=folder), batch=batch, checkpoint_every=10)


def points(trained: nn.Module, held_out: tuple[Tensor, Tensor], target: int | None = None, steps: int = 40) -> FitTask:
    x = held_out[0]
    data = Data(x=x[:64], y=held_out[1][:64], ids=torch.arange(64), classes=("a", "b", "c"), box=(0.0, 1.0))
    return FitTask(module=trained, data=data, steps=steps, target=target, source=None, seeds=Seeds(3), device="cpu")


def images(target: int | None, count: int = 24, steps: int = 60) -> FitTask:
    data = learnable_data(count, (3, 8, 8), 3)
    module = small_conv(3, 8, 3).eval()
    return FitTask(module=module, data=data, steps=steps, target=target, source=None, seeds=Seeds(1), device="cpu")


def labels(module: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return module(x).argmax(1)


@pytest.mark.parametrize("method", ["deepfool", "sgd"])
@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.15), ("l2", 1.5)])
def test_universal_stays_in_the_ball_and_beats_noise_of_its_size_on_unseen_samples(
    method: str, norm: str, epsilon: float, tmp_path: Path
) -> None:
    task = images(None, steps=40)
    printed, _ = fitted(UNIVERSAL, task, tmp_path, epsilon=epsilon, norm=norm, method=method)
    order = torch.inf if norm == "linf" else 2
    length = float(torch.linalg.vector_norm(printed.pattern.double().flatten(), ord=order))
    assert 0.4 * epsilon < length <= epsilon * (1 + 1e-6)
    unseen = learnable_data(60, (3, 8, 8), 3, seed=5).x
    rate = changed(task.module, unseen, printed.pattern)
    generator = torch.Generator().manual_seed(0)
    for _ in range(10):
        noise = torch.randn(printed.pattern.shape, generator=generator)
        noise = epsilon * (noise.sign() if norm == "linf" else noise / noise.norm())
        assert rate > changed(task.module, unseen, noise) + 0.2


def changed(module: nn.Module, x: Tensor, pattern: Tensor) -> float:
    """The share of samples whose label changes."""
    return float((labels(module, (x + pattern).clamp(0, 1)) != labels(module, x)).double().mean())


@pytest.mark.parametrize("method", ["deepfool", "sgd"])
def test_universal_drives_samples_to_its_target(method: str, tmp_path: Path) -> None:
    task = images(target=0, steps=40)
    printed, metrics = fitted(UNIVERSAL, task, tmp_path, epsilon=0.2, method=method, until=1.0)
    unseen = learnable_data(60, (3, 8, 8), 3, seed=5).x
    other = labels(task.module, unseen) != 0
    rate = (labels(task.module, (unseen + printed.pattern).clamp(0, 1)) == 0)[other].double().mean()
    assert int(other.sum()) > 40
    assert float(rate) > 0.6
    assert metrics["fooling_rate"] > 0.6


def test_universal_on_a_linear_model_is_the_way_over_its_only_boundary(tmp_path: Path) -> None:
    """Two classes, all samples on one side: every way is along the weights, so the vector is too."""
    module = LinearModel(12, 2)
    data = tiny_data(64, (12,), 2)
    with torch.no_grad():
        data = data.take(module(data.x).argmax(1) == 0)
    task = FitTask(module=module, data=data, steps=30, target=None, source=None, seeds=Seeds(0), device="cpu")
    printed, metrics = fitted(UNIVERSAL, task, tmp_path, epsilon=0.6, norm="l2", until=1.0, batch=8)
    normal = (module.weight[1] - module.weight[0]).detach()
    cosine = torch.nn.functional.cosine_similarity(printed.pattern, normal, dim=0)
    assert float(cosine) > 0.99
    assert metrics["size"] <= 0.6 * (1 + 1e-6)


@pytest.mark.parametrize("target", [None, 2])
def test_the_ways_of_a_batch_are_those_of_its_samples_one_by_one(
    target: int | None, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    """The reference implementations go sample by sample; here all go at once, to the same places."""
    module, x = trained.double(), held_out[0][:20].double()
    try:
        victim = Victim(module, box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.1, targeted=target is not None)
        goal = labels(module, x) if target is None else torch.full((20,), target)
        params = UNIVERSAL.params.parse({"epsilon": 0.1})
        together = shortest_ways(victim, x, goal, params, Draws(0, torch.arange(20)))
        alone = [
            shortest_ways(victim, x[row, None], goal[row, None], params, Draws(0, torch.arange(1))) for row in range(20)
        ]
        assert torch.allclose(together, torch.cat(alone), atol=1e-9)
        arrived = labels(module, x + together)
        assert (arrived.eq(goal) if target is not None else arrived.ne(goal)).double().mean() > 0.9
        if target is not None:  # who is there already does not move
            assert together[labels(module, x) == target].abs().max() == 0
    finally:
        trained.float()


def test_enough_ends_a_fit_after_a_whole_pass(
    tmp_path: Path, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    context = FakeContext(scratch=tmp_path)
    task = points(trained, held_out, steps=400)
    params = UNIVERSAL.params.parse({"epsilon": 0.4, "method": "sgd", "until": 0.3})
    _, metrics = fit(UNIVERSAL.load()(task, params), task, context, batch=16, checkpoint_every=7)
    last, told = context.reports[-1]
    assert last < 400
    assert last % 4 == 0  # four batches are a pass
    assert metrics == told


@pytest.mark.parametrize("norm", ["l1", "unbounded"])
def test_universal_refuses_other_norms(norm: str, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(StageFailed, match=norm):
        UNIVERSAL.load()(points(trained, held_out), UNIVERSAL.params.parse({"epsilon": 0.1, "norm": norm}))


def test_a_patch_works_where_it_has_never_lain(tmp_path: Path) -> None:
    task = images(target=0, steps=80)
    placing = {"scale": [0.5, 0.7], "degrees": 30}
    printed, metrics = fitted(PATCH, task, tmp_path, placing=placing, printable=[0.1, 0.9])
    unseen = learnable_data(48, (3, 8, 8), 3, seed=9)
    before = labels(task.module, unseen.x)
    assert float(printed.pattern.min()) >= 0.1 - 1e-6
    assert float(printed.pattern.max()) <= 0.9 + 1e-6
    pasted = apply(printed, unseen.x, Draws(77, unseen.ids), unseen.box)
    grey = apply(
        replace(printed, pattern=torch.full_like(printed.pattern, 0.5)), unseen.x, Draws(77, unseen.ids), unseen.box
    )
    hits, by_grey = ((labels(task.module, z) == 0).double().mean() for z in (pasted, grey))
    assert float(hits) > max(float(by_grey) + 0.2, float((before == 0).double().mean()) + 0.2)
    assert metrics["reached"] > 0.5


def test_a_sticker_changes_nothing_outside_its_mask_and_can_be_printed(tmp_path: Path) -> None:
    task = images(target=1, steps=80)
    scene = {**STILL, **DULL}
    printed, metrics = fitted(
        STICKER, task, tmp_path, scene=scene, mask=[[0.25, 0, 0.75, 1]], **{"lambda": 0.0, "nps": 0.1}
    )
    assert printed.kind is Kind.STICKER
    assert printed.mask is not None
    assert torch.equal(printed.mask.sum((1, 2)), torch.tensor([4.0 * 8]))
    z = apply(printed, task.data.x, Draws(0, task.data.ids), task.data.box)
    changed = (z != task.data.x).any(1)
    assert bool(changed[:, :, 2:6].any())
    assert not bool(changed[:, :, :2].any())
    assert float(non_printability(printed.pattern, palette_of((), 3, z), printed.mask)) < 1e-5
    assert float((labels(task.module, z) == 1).double().mean()) > 0.6
    assert set(metrics) == {"loss", "reached", "nps", "size"}


def test_what_a_sticker_may_cost_holds_it_back(tmp_path: Path) -> None:
    free, dear = (
        fitted(
            STICKER, images(target=1, steps=40), tmp_path, scene={**STILL, **DULL}, size_norm=norm, **{"lambda": price}
        )[1]
        for norm, price in (("l2", 0.0), ("l2", 20.0))
    )
    assert dear["size"] < 0.7 * free["size"]
    by_l1 = fitted(STICKER, images(target=1, steps=40), tmp_path, size_norm="l1", **{"lambda": 20.0})[1]
    assert by_l1["size"] < free["size"]


def test_a_texture_is_taken_for_its_target_from_new_poses(tmp_path: Path) -> None:
    from advorch.kit.perturbation.poses import drawn
    from advorch.kit.perturbation.render import photograph
    from advorch.kit.perturbation.scene import Scene

    task = images(target=0, steps=80)
    scene = {"shape": "ball", "background": "drawn", "yaw": 30}
    printed, metrics = fitted(TEXTURE, task, tmp_path, scene=scene, distance="rgb", **{"lambda": 0.01}, lr=0.05)
    law, rng = Scene.parse(printed.how["scene"]), Draws(99, torch.arange(60))  # type: ignore[arg-type]
    poses = drawn(law, rng, task.data.x)
    rates = [
        (labels(task.module, photograph(surface.expand(60, -1, -1, -1), poses, law, rng, frame=(8, 8))) == 0)
        .double()
        .mean()
        for surface in (printed.original, printed.pattern)
        if surface is not None
    ]
    assert float(rates[1]) > float(rates[0]) + 0.3
    assert printed.how["label"] == int(task.data.y[0])
    assert metrics["distance"] > 0


def test_what_looks_changed_is_what_it_costs(tmp_path: Path) -> None:
    far, near = (
        fitted(TEXTURE, images(target=2, steps=30), tmp_path, **{"lambda": price})[1]["distance"]
        for price in (0.0, 500.0)
    )
    assert near < 0.5 * far


@pytest.mark.parametrize("component", [PATCH, STICKER, TEXTURE])
def test_surfaces_are_of_images(
    component: Perturbation[Any], trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    with pytest.raises(StageFailed, match="images"):
        component.load()(points(trained, held_out, target=1), component.params())


def test_lab_needs_colours() -> None:
    task = images(target=1)
    grey = replace(task, data=learnable_data(8, (1, 8, 8), 3), module=small_conv(1, 8, 3).eval())
    with pytest.raises(StageFailed, match="colours"):
        TEXTURE.load()(grey, TEXTURE.params())
    TEXTURE.load()(grey, TEXTURE.params.parse({"distance": "rgb"}))
