"""Stand-ins for what the engine provides, and models small enough to know the answer."""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from advorch.artifacts import Input, Signature
from advorch.canonical import Json
from advorch.components import AnyComponent
from advorch.errors import Stopped
from advorch.kit.data import Data
from advorch.kit.perturbation.fitted import Fitted, Kind, Print
from advorch.kit.perturbation.placing import Placing
from advorch.kit.perturbation.scene import Scene
from advorch.registry.plugin import Plugin
from advorch.registry.registry import Registry
from advorch.seeds import Seeds
from advorch.threat import Norm


def registry_of(*components: AnyComponent) -> Registry:
    """A registry of these components alone, as if one plugin had contributed them."""
    name = "advorch-test 0:test"
    plugin = Plugin(
        name=name, distribution="advorch-test", version="0", entry_point="test", module="test", components=components
    )
    return Registry([plugin])


@dataclass(kw_only=True)
class FakeContext:
    """A `StageContext` that remembers what it was told; `stop_at` asks the stage to stop when it reports that step."""

    scratch: Path
    rank: int = 0
    world_size: int = 1
    device: str = "cpu"
    seeds: Seeds = Seeds(0)
    inputs: Mapping[str, tuple[Input, ...]] = field(default_factory=dict)
    components: Registry = field(default_factory=registry_of)
    stop_at: int | None = None
    checkpoint: Path | None = None
    reports: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def report(self, metrics: Mapping[str, float], *, step: int, checkpoint: Path | None = None) -> None:
        self.reports.append((step, dict(metrics)))
        self.checkpoint = _kept(checkpoint, self.scratch, step) or self.checkpoint
        if self.stop_at == step:
            raise Stopped(f"asked to stop at step {step}")

    def resume(self) -> Path | None:
        return self.checkpoint

    def lookup(self, component: str) -> AnyComponent:
        return self.components.component(component)


def _kept(checkpoint: Path | None, scratch: Path, step: int) -> Path | None:
    """A committed checkpoint outlives the folder that the stage reported."""
    if checkpoint is None:
        return None
    kept = scratch / "committed" / str(step)
    return Path(shutil.copytree(checkpoint, kept, dirs_exist_ok=True))


class LinearModel(nn.Module):
    """Logits `W x + b`: the distance to the nearest other class is known in closed form."""

    def __init__(self, features: int, classes: int = 2, *, seed: int = 0) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        weight = torch.rand(classes, features, generator=rng) - 0.5
        self.weight = nn.Parameter(weight + 0.2 * weight.sign())  # no weight is near zero: every number matters
        self.bias = nn.Parameter(-0.5 * self.weight.detach().sum(1))  # the middle of the unit box is undecided

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = x.flatten(1) @ self.weight.T + self.bias
        return logits

    @torch.no_grad()
    def distance(self, x: Tensor, norm: Norm) -> Tensor:
        """How far each sample is from the nearest decision boundary, the box left aside."""
        logits = self(x)
        label = logits.argmax(1)
        gaps = logits.gather(1, label[:, None]) - logits
        slopes = _dual_norm(self.weight[label][:, None] - self.weight, norm)
        return torch.where(gaps > 0, gaps / slopes, torch.inf).amin(1)


class Hesitant(nn.Module):
    """A model that refuses to answer where its largest logit is below `least`."""

    refuses = True

    def __init__(self, inner: nn.Module, least: float = 0.1) -> None:
        super().__init__()
        self.inner = inner
        self.least = least

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x)
        return torch.cat([logits, torch.full_like(logits[:, :1], self.least)], 1)


def _dual_norm(slopes: Tensor, norm: Norm) -> Tensor:
    order = {Norm.LINF: 1.0, Norm.L2: 2.0, Norm.L1: torch.inf}[norm]
    length: Tensor = torch.linalg.vector_norm(slopes, ord=order, dim=-1)
    return length


def small_mlp(features: int = 16, classes: int = 10, *, seed: int = 0) -> nn.Module:
    """Two layers with a smooth bend between them."""
    return _seeded(
        seed,
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(features, 24), nn.GELU(), nn.Linear(24, classes)),
    )


def small_conv(channels: int = 1, side: int = 8, classes: int = 3, *, seed: int = 0) -> nn.Module:
    """Images in, with everything that an attack may disturb: batch statistics, dropout, pooling."""

    def build() -> nn.Module:
        features = 4 * (side // 2) ** 2
        return nn.Sequential(
            nn.Conv2d(channels, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(features, classes),
        )

    return _seeded(seed, build)


def _seeded(seed: int, build: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def tiny_data(
    count: int = 8,
    shape: tuple[int, ...] = (12,),
    classes: int = 2,
    *,
    seed: int = 0,
    box: tuple[float, float] | None = (0.0, 1.0),
) -> Data:
    """Uniform samples well inside the box, all classes in turn, ids that are no positions."""
    rng = torch.Generator().manual_seed(seed)
    low, high = box or (-1.0, 1.0)
    x = low + (high - low) * (0.2 + 0.6 * torch.rand(count, *shape, generator=rng))
    names = tuple(f"class {index}" for index in range(classes))
    return Data(x=x, y=torch.arange(count) % classes, ids=torch.arange(count) * 7 + 3, classes=names, box=box)


def learnable_data(count: int = 64, shape: tuple[int, ...] = (12,), classes: int = 2, *, seed: int = 0) -> Data:
    """Samples whose brightness says their class, so that a few steps of training show."""
    data = tiny_data(count, shape, classes, seed=seed)
    shift = (data.y.float() / (classes - 1) - 0.5) * 0.3
    x = (data.x + shift.reshape(-1, *[1] * len(shape))).clamp(0, 1)
    return Data(x=x, y=data.y, ids=data.ids, classes=data.classes, box=data.box)


def tiny_sentences(count: int = 24, classes: int = 2, *, seed: int = 0) -> Data:
    """One to four of ten words, an end mark, and padding to six; classes in turn."""
    rng = torch.Generator().manual_seed(seed)
    x, end = torch.randint(4, 14, (count, 6), generator=rng), torch.randint(1, 5, (count, 1), generator=rng)
    place = torch.arange(6)
    x = torch.where(place == end, 2, torch.where(place > end, 0, x))
    names = tuple(f"class {index}" for index in range(classes))
    words = ("<pad>", "<start>", "<end>", "<unknown>", *(f"word{index}" for index in range(10)))
    y, ids = torch.arange(count) % classes, torch.arange(count)
    return Data(x=x, y=y, ids=ids, classes=names, box=(0.0, 13.0), vocabulary=words)


def stripes(shape: Sequence[int], height: float, classes: int = 3, kind: Kind = Kind.UNIVERSAL) -> Fitted:
    """A perturbation that was fitted to nobody: up and down in turns; of class 0 to class 1 where that matters."""
    size = math.prod(shape)
    signs = (torch.arange(size) % 2 * 2.0 - 1.0).view(*shape)
    pattern = height * signs if kind is Kind.UNIVERSAL else 0.5 + 0.5 * signs
    mask = torch.zeros(1, *shape[1:])
    mask[..., : max(1, shape[-1] // 2)] = 1
    law: dict[Kind, dict[str, Json]] = {
        Kind.UNIVERSAL: {"norm": "linf", "epsilon": height},
        Kind.PATCH: {"placing": Placing().plain()},
        Kind.STICKER: {"scene": Scene().plain()},
        Kind.TEXTURE: {"scene": Scene(shape="ball").plain()},
    }
    printed = Print(
        kind=kind,
        pattern=pattern,
        mask=mask if kind in (Kind.PATCH, Kind.STICKER) else None,
        original=1 - pattern if kind is Kind.TEXTURE else None,
        how=law[kind],
    )
    names = tuple(f"class {index}" for index in range(classes))
    aim = (None, None) if kind is Kind.UNIVERSAL else (1, 0)
    return Fitted(
        print=printed, component=f"attack/{kind.value}", settings={}, target=aim[0], source=aim[1], label="stand-in",
        signature=Signature(shape=tuple(shape), classes=names, box=(0.0, 1.0)), model="m" * 64, data="d" * 64,
    )  # fmt: skip
