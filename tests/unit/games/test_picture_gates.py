"""What games must reach on pictures, by features of a classifier that is trained here; budgets are CPU seconds of one
thread, written beside them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.adversary.game import Game
from advorch.kit.adversary.loop import Rules, play
from advorch.kit.adversary.match import Match
from advorch.kit.data import Data
from advorch_builtins.datasets.catalog import DigitsParams, ImagesParams
from advorch_builtins.datasets.digits import load as load_digits
from advorch_builtins.datasets.mnist import load as load_mnist

Build = Callable[..., Game]
SEEDS = (0, 1, 2)


class Judge(nn.Module):
    """A small classifier, and the features before its last layer."""

    def __init__(self, body: nn.Module, features: int) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(features, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def trained(judge: Judge, data: Data, passes: int) -> Judge:
    torch.manual_seed(0)
    adam = torch.optim.Adam(judge.parameters(), lr=1e-3)
    for _ in range(passes):
        for index in torch.randperm(len(data)).split(64):
            adam.zero_grad()
            nn.functional.cross_entropy(judge(data.x[index]), data.y[index]).backward()
            adam.step()
    return judge.eval()


@torch.no_grad()
def frechet(judge: Judge, first: Tensor, second: Tensor) -> float:
    """The distance between Gaussians of the features' moments."""
    means, spreads = zip(*(_moments(judge.body(x).double()) for x in (first, second)), strict=True)
    root = torch.linalg.eigvals(spreads[0] @ spreads[1]).real.clamp(min=0).sqrt().sum()
    total = (means[0] - means[1]).square().sum() + spreads[0].trace() + spreads[1].trace() - 2 * root
    return float(total)


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    return features.mean(dim=0), features.T.cov()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
def test_digits_grow(seed: int, build: Build) -> None:
    """55 CPU seconds: a hundredth of noise's distance is the floor, 15 % the threshold."""
    data = load_digits(DigitsParams(), "train")
    judge = trained(
        Judge(nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 32), nn.ReLU()), 32), data, 15
    )
    match = Match(build("progressive-gan", data.signature, seed, width=48, ema=0.99), "cpu")
    seen: list[float] = []

    def report(step: int, losses: object, keep: bool) -> None:
        seen.append(frechet(judge, match.sample(1000, seed=1), data.x))

    play(match, data, Rules(steps=1200, batch=64, seed=seed, report_every=600, checkpoint_every=10_000), report)
    noise = frechet(judge, torch.rand(1000, *data.signature.shape), data.x)
    print(f"\nprogressive-gan seed {seed}: {seen} of {noise}")
    assert seen[-1] <= 0.15 * noise
    assert seen[-1] < seen[0]


@pytest.mark.long
@pytest.mark.data
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", SEEDS)
def test_digits_are_of_the_class_that_was_asked_for(seed: int, build: Build, data_folder: Path) -> None:
    """120 CPU seconds: a classifier agrees with 85 % of the labels, and takes 5 % at least for each class."""
    data, held_out = (load_mnist(ImagesParams(root=str(data_folder / "mnist")), split) for split in ("train", "test"))
    body = nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(32 * 49, 64), nn.ReLU(),
    )  # fmt: skip
    judge = trained(Judge(body, 64), data.take(slice(0, 30_000)), 1)
    match = Match(build("sn-gan", data.signature, seed, **TOLD), "cpu")
    play(
        match, data, Rules(steps=1600, batch=64, seed=seed, report_every=800, checkpoint_every=10_000), lambda *_: None
    )
    asked = torch.arange(2000) % 10
    drawn = match.sample_of(asked, seed=1)
    with torch.no_grad():
        said = judge(drawn).argmax(dim=1)
    agreement = float((said == asked).double().mean())
    counts = torch.bincount(said, minlength=10)
    distance = frechet(judge, drawn, held_out.x[:2000])
    noise = frechet(judge, torch.rand(2000, 1, 28, 28), held_out.x[:2000])
    print(f"\nsn-gan seed {seed}: agreement {agreement:.3f}, {counts.tolist()}, distance {distance:.1f} of {noise:.0f}")
    assert agreement >= 0.85
    assert int(counts.min()) >= 100
    assert distance <= 0.05 * noise


TOLD: dict[str, Any] = {
    "conditioning": "projection", "width": 32, "k": 1, "lr_generator": 5e-4, "lr_critic": 5e-4, "betas": [0.5, 0.999],
    "decay": "constant", "ema": 0.98,
}  # fmt: skip
