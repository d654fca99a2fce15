"""One rank of two, run as a process of its own: `gang_member.py RANK FOLDER` writes what it saw as JSON."""

import functools
import json
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from advorch.errors import StageFailed
from advorch.kit.adversary.game import Game, Player, Turn
from advorch.kit.adversary.gang import Gang
from advorch.kit.adversary.loop import Rules, play
from advorch.kit.adversary.match import Match
from advorch.kit.data import Data

STEPS, BATCH = 6, 8


def points() -> Data:
    rng = torch.Generator().manual_seed(0)
    return Data(x=torch.randn(40, 2, generator=rng), y=torch.zeros(40), ids=torch.arange(40), classes=("all",))


def pulling_game(seed: int) -> Game:
    """A generator that is pulled to the data by a critic; losses are means, so that ranks average to the whole."""
    torch.manual_seed(seed)
    generator, critic = nn.Linear(2, 2), nn.Linear(2, 1)

    def criticise(turn: Turn) -> Tensor:
        x = turn.x.detach().requires_grad_()
        slope = torch.autograd.grad(critic(x).square().sum(), x, create_graph=True)[0]
        return (critic(generator(turn.x)) - critic(x)).mean() + slope.square().sum(1).mean()

    def generate(turn: Turn) -> Tensor:
        return -critic(generator(turn.x)).mean() + generator(turn.x).square().mean()

    adam = functools.partial(torch.optim.Adam, lr=0.05)
    return Game(
        players=(
            Player(name="critic", module=critic, optimizer=adam, loss=criticise),
            Player(name="generator", module=generator, optimizer=adam, loss=generate),
        ),
        schedule=("critic", "generator"),
        sample=lambda count, rng: generator(torch.randn(count, 2, generator=rng)),
    )


def uneven_game(rank: int) -> Game:
    """Rank 1 forgets one of its layers."""
    layers = nn.ModuleList([nn.Linear(2, 1), nn.Linear(2, 1)])

    def loss(turn: Turn) -> Tensor:
        return sum(layer(turn.x).mean() for layer in list(layers)[: 2 - rank])

    player = Player(name="generator", module=layers, optimizer=functools.partial(torch.optim.SGD, lr=0.1), loss=loss)
    return Game(players=(player,), schedule=("generator",), sample=lambda count, rng: torch.zeros(count))


def played(seed: int, gang: Gang) -> tuple[list[float], dict[str, float]]:
    match = Match(pulling_game(seed), "cpu")
    losses = play(match, points(), Rules(steps=STEPS, batch=BATCH, seed=1, report_every=2), lambda *_: None, gang)
    return torch.cat([value.flatten() for value in match.tensors()]).tolist(), losses


def complaint(gang: Gang) -> str:
    match = Match(uneven_game(gang.rank), "cpu")
    try:
        play(match, points(), Rules(steps=1, batch=BATCH, seed=1), lambda *_: None, gang)
    except StageFailed as error:
        return error.message
    return ""


def main(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    gang = Gang(rank, 2)
    weights, losses = played(seed=rank, gang=gang)
    seen = {"weights": weights, "losses": losses, "complaint": complaint(gang)}
    (folder / f"{rank}.json").write_text(json.dumps(seen))
    dist.barrier()
    os._exit(0)  # gloo's threads may end the process with SIGABRT when the interpreter tears them down


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
