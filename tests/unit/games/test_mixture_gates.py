"""What games must reach on mixtures of the plane: thresholds of coverage, over three seeds.

Numbers of steps stand for the CPU seconds of one thread that are written beside them; they make a gate repeatable.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from advorch.kit.adversary.game import Game
from advorch.kit.adversary.loop import Rules, play
from advorch.kit.adversary.match import Match
from advorch.kit.data import Data
from advorch.kit.evaluation.mixtures import Coverage, cover, mixture_of, nearest
from advorch.kit.evaluation.transport import exact
from advorch_builtins.datasets.catalog import RingParams
from advorch_builtins.datasets.catalog_mixtures import GridParams
from advorch_builtins.datasets.grid import load as load_grid
from advorch_builtins.datasets.ring import load as load_ring

Build = Callable[..., Game]
SEEDS = (0, 1, 2)
METZ: dict[str, Any] = {
    "latent": 256, "hidden": [128, 128], "betas": [0.5, 0.999], "lr_generator": 1e-3, "lr_critic": 1e-4, "ema": 0.0,
}  # fmt: skip
UNROLLED = METZ | {"unrolled": 5, "alpha": 0.05, "ema": 0.99, "decay": "linear"}
FEW, MANY = 20 / 2500, 10.0


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finished game against a mixture."""

    found: Coverage
    w1: float
    floor: float
    wide: int  # modes within ten deviations
    seconds: float
    match: Match


def ring(split: str = "train") -> Data:
    return load_ring(RingParams(n=10_000, n_test=5_000), split)


def grid(split: str = "train") -> Data:
    return load_grid(GridParams(n=20_000, n_test=5_000), split)


def shuffled(data: Data, seed: int) -> torch.Tensor:
    return data.x[torch.randint(len(data), (1000,), generator=torch.Generator().manual_seed(seed))]


def judge(match: Match, held_out: Data, seconds: float = 0.0) -> Result:
    mixture = mixture_of(held_out)
    drawn = match.sample(2500, seed=1)
    index, away = nearest(drawn, mixture)
    counts = torch.bincount(index[away <= MANY], minlength=len(mixture.centres))
    real = shuffled(held_out, 0)
    return Result(
        found=cover(drawn, mixture),
        w1=exact(drawn[:1000], real),
        floor=exact(shuffled(held_out, 1), real),
        wide=int((counts >= FEW * 2500).sum()),
        seconds=seconds,
        match=match,
    )


@pytest.fixture
def played(build: Build) -> Callable[..., Result]:
    def run(name: str, data: Data, held_out: Data, *, steps: int, seed: int, batch: int = 256, **params: Any) -> Result:
        match = Match(build(name, data.signature, seed, **params), "cpu")
        begun = time.process_time()
        play(match, data, Rules(steps=steps, batch=batch, seed=seed, report_every=100), lambda *_: None)
        result = judge(match, held_out, time.process_time() - begun)
        found = result.found
        covered = f"{found.modes}/{found.of} modes, {result.wide} within ten, quality {found.quality:.2f}"
        away = f"divergence {found.divergence}, W1 {result.w1:.3f} (floor {result.floor:.3f})"
        print(f"\n{name} seed {seed}: {covered}, {away}, {result.seconds:.0f} CPU s")
        return result

    return run


def test_the_penalty_at_real_data_covers_the_ring_in_seconds(played: Callable[..., Result]) -> None:
    """About 5 CPU seconds."""
    result = played("gan-r1", ring(), ring("test"), steps=600, seed=0)
    assert result.found.modes == 8
    assert result.found.quality >= 0.3


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_penalty_at_real_data_covers_the_ring(seed: int, played: Callable[..., Result]) -> None:
    """15 CPU seconds."""
    result = played("gan-r1", ring(), ring("test"), steps=1800, seed=seed)
    assert result.found.modes == 8
    assert result.found.quality >= 0.5
    assert result.found.divergence <= 0.1


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("objective", ["saturating", "non-saturating"])
def test_the_plain_game_collapses(objective: str, seed: int, played: Callable[..., Result]) -> None:
    """25 CPU seconds of Metz et al.'s settings."""
    result = played("gan", ring(), ring("test"), steps=2500, batch=512, seed=seed, objective=objective, **METZ)
    assert result.found.modes <= 3
    assert result.w1 >= 10 * result.floor


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
def test_looking_ahead_cures_it(seed: int, played: Callable[..., Result]) -> None:
    """50 CPU seconds, the same networks and rates; so few steps bring samples to all modes, not to their centres."""
    result = played("unrolled-gan", ring(), ring("test"), steps=1200, seed=seed, **UNROLLED)
    assert result.wide >= 7
    assert result.w1 <= 8 * result.floor


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["wgan-gp-toy2d", "sn-gan-toy2d"])
def test_a_smooth_critic_covers_the_ring(name: str, seed: int, played: Callable[..., Result]) -> None:
    """30 CPU seconds."""
    result = played(name, ring(), ring("test"), steps=1200, seed=seed)
    assert result.found.modes == 8
    assert result.found.quality >= 0.45
    assert result.w1 <= 2 * result.floor
    assert result.found.divergence <= 0.1
    if name == "sn-gan-toy2d":
        assert all(0.98 <= sigma <= 1.02 for sigma in spectra(result.match))


def spectra(match: Match) -> list[float]:
    critic = match.game.player("critic").module.eval()
    layers = [part for part in critic.modules() if isinstance(part, torch.nn.Linear)]
    return [float(torch.linalg.matrix_norm(layer.weight.detach(), 2)) for layer in layers]


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_clipped_critic_comes_near(seed: int, played: Callable[..., Result], build: Build) -> None:
    """25 CPU seconds; no clipped critic makes sharp modes."""
    result = played("wgan", ring(), ring("test"), steps=1500, batch=64, seed=seed)
    untrained = judge(Match(build("wgan", ring().signature, seed), "cpu"), ring("test"))
    critic = result.match.game.player("critic").module
    assert max(float(item.detach().abs().max()) for item in critic.parameters()) <= 0.01
    assert result.w1 <= 0.25 * untrained.w1
    assert result.wide >= 5


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_penalised_critic_covers_the_grid(seed: int, played: Callable[..., Result]) -> None:
    """75 CPU seconds."""
    result = played("wgan-gp-toy2d", grid(), grid("test"), steps=2500, seed=seed, **{"lambda": 0.1})
    assert result.found.modes >= 23
