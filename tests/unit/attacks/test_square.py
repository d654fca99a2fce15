from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from advorch.kit.attack import projection
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import AttackResult, run_attack
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.trials import Trials, keep_best
from advorch.kit.attack.victim import Finish, Victim
from advorch.threat import Access, Norm
from advorch_builtins.attacks.catalog_black_box import SQUARE, SquareParams
from advorch_builtins.attacks.square import perturb, share_at
from advorch_builtins.attacks.square_windows import Picture, Window, bump, tiles

EPSILON = {Norm.LINF: 0.1, Norm.L2: 0.2, Norm.L1: 0.4}
EACH = pytest.mark.parametrize("norm", list(EPSILON))


def victim_of(module: nn.Module, norm: Norm, epsilon: Any = None, **options: Any) -> Victim:
    known = {"box": (0.0, 1.0), "norm": norm, "epsilon": EPSILON[norm] if epsilon is None else epsilon}
    return Victim(module, **(known | {"access": Access.SCORES} | options))


def run(module: nn.Module, x: Tensor, y: Tensor, norm: Norm, queries: int = 200, **options: Any) -> AttackResult:
    params = SquareParams(queries=queries)
    return run_attack(perturb, victim_of(module, norm, **options), x, y, params, Draws(3, torch.arange(len(x))))


def images(count: int = 4, channels: int = 2, height: int = 9, width: int = 9) -> Tensor:
    shape = (count, channels, height, width)
    return torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class Smooth(nn.Module):
    """Two classes of images; the second wins everywhere, more or less."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        weight = torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        self.register_buffer("weight", weight)

    def forward(self, x: Tensor) -> Tensor:
        height = 1000 + (x * self.weight).flatten(1).sum(1) + 0.3 * (3 * x).sin().flatten(1).sum(1)
        return torch.stack([torch.zeros_like(height), height], 1)


def test_the_schedule_is_that_of_the_paper() -> None:
    params = SquareParams(queries=10_000, share=0.8)
    expected = {
        1: 1, 10: 1, 11: 2, 50: 2, 51: 4, 200: 4, 201: 8, 500: 8, 501: 16, 1000: 16, 1001: 32, 2000: 32, 2001: 64,
        4000: 64, 4001: 128, 6000: 128, 6001: 256, 8000: 256, 8001: 512, 9999: 512,
    }  # fmt: skip
    assert {number: 0.8 / share_at(number, params) for number in expected} == pytest.approx(expected)
    assert share_at(51, SquareParams(queries=500)) == share_at(51 * 20, params)
    assert share_at(51, SquareParams(queries=500, horizon=10_000)) == share_at(51, params)


def reference_linf(module: nn.Module, x: Tensor, epsilon: float, queries: int, rng: Draws) -> Tensor:
    """The published loop, one sample at a time and with slices; only the random numbers are ours."""
    channels, height, width = x.shape[1:]
    signs = rng.fork(0).sign((channels, 1, width), like=x)
    best = (x + epsilon * signs).clamp(0, 1)
    lowest = module(best)[:, 1]
    for number in range(1, queries):
        side = max(round((share_at(number, SquareParams(queries=queries)) * height * width) ** 0.5), 1)
        stream = rng.fork(number)
        top, left = (stream.integers((), 0, size - side + 1) for size in (height, width))
        signs, new = stream.sign((channels, 1, 1), like=x), best.clone()
        for row in range(len(x)):
            window = (row, slice(None), slice(top[row], top[row] + side), slice(left[row], left[row] + side))
            new[window] = best[window] + 2 * epsilon * signs[row]
        new = torch.min(torch.max(new, x - epsilon), x + epsilon).clamp(0, 1)
        margin = module(new)[:, 1]
        best = torch.where((margin < lowest)[:, None, None, None], new, best)
        lowest = torch.minimum(margin, lowest)
    return best


def reference_l2(module: nn.Module, x: Tensor, epsilon: float, queries: int, rng: Draws) -> Tensor:
    """The same for the l2 form: windows of a step, their norms by channel, and what epsilon has left."""
    channels, height, width = x.shape[1:]

    def scaled(step: Tensor) -> Tensor:
        return (x + step / (step.flatten(1).norm(dim=1)[:, None, None, None] + 1e-12) * epsilon).clamp(0, 1)

    best = scaled(tiles(Picture.of(x), rng.fork(0), like=x))
    lowest = module(best)[:, 1]
    for number in range(1, queries):
        side = max(round((share_at(number, SquareParams(queries=queries)) * height * width) ** 0.5), 3)
        side += side % 2 == 0
        stream = rng.fork(number)
        first, second = ([stream.integers((), 0, size - side + 1) for size in (height, width)] for _ in range(2))
        shapes = bump(Window(Picture.of(x), side, side), stream, like=x)
        signs, step = stream.sign((channels, 1, 1), like=x), best - x
        for row in range(len(x)):
            one, two = (
                (row, slice(None), slice(top[row], top[row] + side), slice(left[row], left[row] + side))
                for top, left in (first, second)
            )
            norm = step[one].square().sum((1, 2), keepdim=True).sqrt()
            mask = torch.zeros_like(step[row], dtype=torch.bool)
            mask[one[1:]] = mask[two[1:]] = True
            windows = (step[row] * mask).square().sum((1, 2), keepdim=True).sqrt()
            left_over = max(epsilon**2 - float(step[row].square().sum()), 0)
            new = shapes[row] * signs[row] + step[one] / (norm + 1e-12)
            new = new / (new.square().sum((1, 2), keepdim=True).sqrt() + 1e-12)
            new = new * (left_over / channels + windows.square()).sqrt()
            step[two] = 0
            step[one] = new
        proposal = scaled(step)
        margin = module(proposal)[:, 1]
        best = torch.where((margin < lowest)[:, None, None, None], proposal, best)
        lowest = torch.minimum(margin, lowest)
    return best


def reference_l1(module: nn.Module, x: Tensor, epsilon: float, queries: int, rng: Draws) -> Tensor:
    """The same for l1, where the length of a step is left to the projection."""
    channels, height, width = x.shape[1:]
    project = ThreatSet.around(x, Norm.L1, epsilon, box=(0.0, 1.0)).project
    best = project(x + tiles(Picture.of(x), rng.fork(0), like=x, order=1))
    lowest = module(best)[:, 1]
    for number in range(1, queries):
        side = max(round((share_at(number, SquareParams(queries=queries)) * height * width) ** 0.5), 3)
        side += side % 2 == 0
        stream = rng.fork(number)
        first, second = ([stream.integers((), 0, size - side + 1) for size in (height, width)] for _ in range(2))
        shapes = bump(Window(Picture.of(x), side, side), stream, like=x, order=1)
        signs, step = stream.sign((channels, 1, 1), like=x), best - x
        for row in range(len(x)):
            one, two = (
                (row, slice(None), slice(top[row], top[row] + side), slice(left[row], left[row] + side))
                for top, left in (first, second)
            )
            mask = torch.zeros_like(step[row], dtype=torch.bool)
            mask[one[1:]] = mask[two[1:]] = True
            windows = (step[row] * mask).abs().sum((1, 2), keepdim=True)
            left_over = max(epsilon - float(step[row].abs().sum()), 0)
            new = shapes[row] * signs[row] + step[one] / (step[one].abs().sum((1, 2), keepdim=True) + 1e-12)
            new = new / (new.abs().sum((1, 2), keepdim=True) + 1e-12) * (left_over / channels + windows) * channels
            step[two] = 0
            step[one] = new
        proposal = project(x + step)
        margin = module(proposal)[:, 1]
        best = torch.where((margin < lowest)[:, None, None, None], proposal, best)
        lowest = torch.minimum(margin, lowest)
    return best


PUBLISHED = {Norm.LINF: (reference_linf, 0.2), Norm.L2: (reference_l2, 1.5), Norm.L1: (reference_l1, 6.0)}


@pytest.mark.parametrize(("norm", "reference", "epsilon"), [(norm, *known) for norm, known in PUBLISHED.items()])
def test_it_is_the_published_loop(norm: Norm, reference: Callable[..., Tensor], epsilon: float) -> None:
    x = images()
    module, rng = Smooth(tuple(x.shape[1:])), Draws(7, torch.arange(4))
    found = perturb(
        victim_of(module, norm, epsilon), x, torch.ones(4, dtype=torch.int64), SquareParams(queries=120), rng
    )
    expected = reference(module, x, epsilon, 120, Draws(7, torch.arange(4)))
    assert float((found - expected).abs().max()) < 1e-9
    assert (module(found) < module(reference(module, x, epsilon, 10, rng)))[:, 1].all()


def test_every_number_is_at_a_corner_of_ball_and_box() -> None:
    x = images()
    module = Smooth(tuple(x.shape[1:]))
    result = run(module, x, torch.ones(4, dtype=torch.int64), Norm.LINF)
    z = result.adversarial
    corners = [(x - 0.1).clamp(0, 1), (x + 0.1).clamp(0, 1)]
    assert torch.stack([(z - corner).abs() < 1e-12 for corner in corners]).any(0).all()


@EACH
def test_each_sample_pays_for_its_own_queries(norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    result = run(trained, *held_out, norm, queries=60)
    standing = result.clean_correct & ~result.success
    assert result.queries.max() <= 60
    assert norm is Norm.LINF or result.queries[standing].float().mean() > 30
    assert result.queries[result.success].float().mean() < 40
    assert result.queries[~result.clean_correct].eq(0).all()
    assert result.backwards.sum() == 0
    assert 5 < result.success.sum() < 120
    more = run(trained, *held_out, norm, queries=160)
    assert more.success.sum() >= result.success.sum()


@EACH
def test_it_finds_most_of_what_gradients_find(norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    """In six dimensions a few hundred corners are nearly all; logits fifty times as large hide nothing."""
    from advorch_builtins.attacks.catalog import PgdParams
    from advorch_builtins.attacks.pgd import perturb as pgd

    victim = victim_of(trained, norm, access=Access.GRADIENTS)
    strong = run_attack(pgd, victim, *held_out, PgdParams(steps=30, restarts=2), Draws(1, torch.arange(128)))
    result = run(trained, *held_out, norm, queries=160)
    assert int(result.success.sum()) >= 0.85 * int(strong.success.sum())
    loud = run(Louder(trained), *held_out, norm, queries=160)
    assert torch.equal(loud.success, result.success)


class Louder(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return 64 * self.module(x)


@EACH
@pytest.mark.parametrize("shape", [(7,), (1,), (5, 3), (1, 1, 8), (3, 4, 11), (1, 2, 2), (2, 3, 16, 5)])
def test_any_shape_will_do(norm: Norm, shape: tuple[int, ...]) -> None:
    """Published implementations fail on images that are not square, and know no vectors."""
    x = torch.rand(6, *shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    module = Smooth(shape)
    result = run(module, x, torch.ones(6, dtype=torch.int64), norm, queries=80)
    drop = (module(x) - module(result.adversarial))[:, 1]
    assert (drop > 0).all()
    assert (result.distance <= EPSILON[norm] * (1 + 1e-12)).all()


@EACH
def test_training_asks_everything_and_never_waits(
    norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "_host", lambda values: False)  # on a CPU the l2 projection may leave early
    x, y = held_out
    victim = victim_of(trained, norm, finish=Finish.LAST)
    with Waits() as waits:
        z = perturb(victim, x, y, SquareParams(queries=30), Draws(0, torch.arange(128)))
    assert not waits.seen
    assert victim.usage(128).queries.eq(30).all()
    assert (margin_of(trained, z, y) > margin_of(trained, x, y)).double().mean() > 0.95


def margin_of(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        logits = module(x)
    return logits.scatter(1, y[:, None], -torch.inf).amax(1) - logits.gather(1, y[:, None]).squeeze(1)


class Waits(TorchDispatchMode):
    """What would make the host wait for a device."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in {"_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal"}:
            self.seen.add(name)
        return func(*args, **(kwargs or {}))


@EACH
def test_targets_and_masks_are_honoured(norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    mask = torch.tensor([[True, True, True, False, False, False]])
    result = run(trained, *held_out, norm, targeted=True, mask=mask, epsilon=0.5)
    assert torch.equal(result.adversarial[:, 3:], held_out[0][:, 3:])
    assert result.success.sum() > 20
    assert torch.equal(result.success, result.clean_correct & result.adversarial_prediction.eq(result.target))


def test_the_first_proposal_is_kept_whatever_it_is_worth() -> None:
    """Never the clean sample: a failed search returns its best effort."""

    def constant(x: Tensor) -> Tensor:
        return torch.tensor([[0.0, 1.0]]).expand(len(x), 2)

    x = torch.full((3, 4), 0.5)
    result = run(Function(constant), x, torch.ones(3, dtype=torch.int64), Norm.LINF, queries=9)
    assert torch.allclose((result.adversarial - x).abs(), torch.full_like(x, 0.1))
    assert result.queries.max() <= 9


class Diary(Smooth):
    """Remembers every question."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.asked: list[bytes] = []

    def forward(self, x: Tensor) -> Tensor:
        self.asked += [row.numpy().tobytes() for row in x]
        return super().forward(x)


def test_nobody_is_asked_the_same_twice() -> None:
    """On one channel most small squares are there already, or have been refused; the result is the published one."""
    x, rng = images(3, 1, 6, 6), Draws(7, torch.arange(3))
    module = Diary((1, 6, 6))
    y = torch.ones(3, dtype=torch.int64)
    found = perturb(victim_of(module, Norm.LINF), x, y, SquareParams(queries=600), rng)
    assert len(set(module.asked)) == len(module.asked) < 3 * 400
    expected = reference_linf(module, x, EPSILON[Norm.LINF], 600, Draws(7, torch.arange(3)))
    assert torch.equal(found, expected)


def test_proposals_see_the_best_point_so_far() -> None:
    """And a worse one never takes its place."""
    heights = iter([0.3, 0.9, 0.5])
    seen: list[float] = []

    def propose(ball: Any, best: Tensor, number: int, rng: Draws) -> Tensor:
        seen.append(float(best[0, 0]))
        return torch.full_like(best, next(heights))

    def logits(x: Tensor) -> Tensor:
        return torch.stack([x[:, 0], torch.full_like(x[:, 0], 5)], 1)

    victim = victim_of(Function(logits), Norm.LINF, 1.0)
    trials = Trials(propose=propose, queries=3)
    z = keep_best(victim, torch.zeros(1, 2), torch.ones(1, dtype=torch.int64), trials, Draws(0, torch.arange(1)))
    assert seen == pytest.approx([0.0, 0.3, 0.9])
    assert float(z[0, 0]) == pytest.approx(0.9)


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def test_description() -> None:
    assert SQUARE.threat.access is Access.SCORES
    assert SQUARE.load() is perturb
