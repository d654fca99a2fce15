"""A step of each game against a loop written by hand of the same arithmetic, with the same networks and optimisers.

    python benchmarks/generators.py [--rounds 7] [--only wgan-gp] [--json out.json]

On random samples: time does not depend on what they show. Times are CPU seconds of this process, in turns, the median
of all rounds but the first; `x` is the median over rounds of the time over that of the loop of the same round. With a
GPU times are wall seconds.
"""

import argparse
import functools
import itertools
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import generators_by_hand as by_hand
import torch
from torch import Tensor

from advorch.api import Generator, Signature
from advorch.kit.adversary.game import Game
from advorch.kit.adversary.loop import Rules, play
from advorch.kit.adversary.match import Match
from advorch.kit.adversary.space import Space
from advorch.kit.data import Data
from advorch.registry.discovery import discover

PLANE, PICTURES, DIGITS = (2,), (1, 28, 28), (1, 8, 8)


@dataclass(frozen=True, kw_only=True)
class Bout:
    """A game and the same by hand."""

    criticise: by_hand.CriticLoss
    generate: by_hand.GeneratorLoss
    shape: tuple[int, ...] = PLANE
    batch: int = 256
    clipped: bool = False
    params: dict[str, Any] = field(default_factory=dict)


BOUTS: dict[str, Bout] = {
    "gan": Bout(criticise=by_hand.cross_entropy, generate=by_hand.non_saturating),
    "gan-r1": Bout(criticise=by_hand.with_r1, generate=by_hand.non_saturating),
    "unrolled-gan": Bout(criticise=by_hand.cross_entropy, generate=by_hand.looking_ahead),
    "wgan": Bout(
        criticise=by_hand.wasserstein, generate=by_hand.wanting, clipped=True, batch=64, params={"warmup": None}
    ),
    "wgan-gp": Bout(criticise=by_hand.with_gp, generate=by_hand.wanting),
    "sn-gan": Bout(criticise=by_hand.hinge, generate=by_hand.wanting, params={"decay": "constant"}),
    "dcgan": Bout(
        criticise=by_hand.cross_entropy,
        generate=by_hand.non_saturating,
        shape=PICTURES,
        batch=64,
        params={"width": 32},
    ),
    "progressive-gan": Bout(
        criticise=by_hand.with_drift, generate=by_hand.wanting, shape=DIGITS, batch=64, params={"width": 48}
    ),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One game."""

    game: str
    milliseconds: float
    by_hand: float
    ratio: float
    load: float


def main() -> None:
    """Every game, both in turns."""
    options = _options()
    torch.set_num_threads(options.threads)
    rows = []
    for name in options.only or BOUTS:
        rows.append(measure(name, BOUTS[name], options))
        print(line(rows[-1]), flush=True)
    if options.json:
        machine = {"python": platform.python_version(), "platform": platform.platform(), "torch": torch.__version__}
        report = {
            "benchmark": "generators",
            **machine,
            "threads": options.threads,
            "rows": [asdict(row) for row in rows],
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n")


def measure(name: str, bout: Bout, options: argparse.Namespace) -> Row:
    """Round by round; the first warms up."""
    ours, theirs = _ours(name, bout, options), _theirs(name, bout, options)
    pairs = [(_timed(ours, options.device), _timed(theirs, options.device)) for _ in range(options.rounds + 1)][1:]
    own, hand = (statistics.median(times) / options.steps * 1000 for times in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    return Row(game=name, milliseconds=own, by_hand=hand, ratio=ratio, load=round(os.getloadavg()[0], 1))


def _game(name: str, bout: Bout, signature: Signature) -> tuple[Game, Any]:
    component = discover().component(f"generate/{name}")
    assert isinstance(component, Generator)
    torch.manual_seed(0)
    params = component.schema().parse({**bout.params, "batch": bout.batch})
    return component.load()(params, signature), params


def _data(bout: Bout) -> Data:
    rng, count = torch.Generator().manual_seed(0), 4096
    x = torch.rand(count, *bout.shape, generator=rng)
    box = (0.0, 1.0) if len(bout.shape) > 1 else None
    return Data(x=x, y=torch.zeros(count).long(), ids=torch.arange(count), classes=("all",), box=box)


def _ours(name: str, bout: Bout, options: argparse.Namespace) -> Callable[[], None]:
    """As many steps more of one long game."""
    data = _data(bout)
    game, _ = _game(name, bout, data.signature)
    match = Match(_grown(game), options.device)
    horizon = options.steps * (options.rounds + 2)
    ends = itertools.count(options.steps, options.steps)

    def run() -> None:
        # a game of this many steps, of which those before are over: what depends on its share stays where it is
        play(match, data, Rules(steps=next(ends), batch=bout.batch, seed=0, checkpoint_every=horizon), _silent)

    return run


def _silent(step: int, losses: Any, keep: bool) -> None:
    """Nobody listens."""


def _grown(game: Game) -> Game:
    """A game that grows, at its full size: how far it is does not depend on the share any more."""
    for player in game.players:
        if hasattr(player.module, "grow"):
            player.module.grow(float(player.module.levels - 1))
            player.module.grow = lambda to: None
    return game


def _theirs(name: str, bout: Bout, options: argparse.Namespace) -> Callable[[], None]:
    data = _data(bout)
    game, params = _game(name, bout, data.signature)
    match = Match(_grown(game), options.device)  # for its optimisers, and to put networks on the device
    assert game.latent is not None
    hand = by_hand.Hand(
        generator=game.generator,
        critic=game.player("critic").module,
        generator_optimizer=match.optimizers["generator"],
        critic_optimizer=match.optimizers["critic"],
        latent=game.latent.size,
        batches=_batches(Space(data.signature).inward(data.x.to(options.device)), bout.batch),
        k=params.k,
        ema=params.ema,
        device=options.device,
    )
    settle = functools.partial(by_hand.clip, hand.critic) if bout.clipped else None

    def run() -> None:
        for _ in range(options.steps):
            hand.step(bout.criticise, bout.generate, settle)

    return run


def _batches(x: Tensor, batch: int) -> Iterator[Tensor]:
    """Shuffled passes, as a loader makes them."""
    while True:
        yield from (x[index] for index in torch.randperm(len(x), device=x.device).split(batch))


def _timed(run: Callable[[], None], device: str) -> float:
    if device == "cpu":
        started = time.process_time()
        run()
        return time.process_time() - started
    torch.cuda.synchronize()
    started = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def line(row: Row) -> str:
    """One row of the table."""
    return (
        f"{row.game:16} {row.milliseconds:8.2f} ms  by hand {row.by_hand:8.2f} ms  x {row.ratio:.3f}  load {row.load}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20, help="of a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", action="append", default=[], choices=list(BOUTS))
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
