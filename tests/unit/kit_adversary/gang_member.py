"""One rank of two, run as a process of its own: `gang_member.py RANK FOLDER` writes what it saw as JSON."""

import functools
import json
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from advorch.artifacts import Signature
from advorch.errors import StageFailed
from advorch.kit.adversary.draws import Draws
from advorch.kit.adversary.game import Game, Player, Turn
from advorch.kit.adversary.gang import Gang
from advorch.kit.adversary.loop import Rules, play
from advorch.kit.adversary.losses import wanting_loss, wasserstein_loss
from advorch.kit.adversary.match import Match
from advorch.kit.adversary.optimizers import sgd
from advorch.kit.adversary.pair import Pair, Terms, duel
from advorch.kit.adversary.penalties import gradient_penalty
from advorch.kit.adversary.space import Space
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


def penalised_game(seed: int) -> Game:
    """Wasserstein with gradient penalty: codes and places on the line are drawn for the batch of all ranks."""
    torch.manual_seed(seed)
    generator = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    critic = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
    pair = Pair(generator=generator, critic=critic, space=Space(Signature(shape=(2,), classes=("all",))), latent=3)

    def criticise(turn: Turn) -> Tensor:
        fake = pair.fakes(turn)
        penalty = gradient_penalty(critic, turn.x, fake, turn.draws).mean()
        return wasserstein_loss(critic(turn.x), critic(fake)) + 10 * penalty

    def generate(turn: Turn) -> Tensor:
        return wanting_loss(critic(pair.imitations(turn)))

    fast = sgd(0.05, 0.9)
    terms = Terms(critic=fast, generator=fast, schedule=("critic", "critic", "generator"), ema=0.9)
    return duel(pair, terms, criticise=criticise, generate=generate)


def wrapped(gang: Gang, *, with_scores: bool, static: bool = False) -> str:
    """What the check says of a critic in DistributedDataParallel after a backward through its penalty."""
    torch.manual_seed(0)
    critic = DistributedDataParallel(nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)), static_graph=static)
    rng = torch.Generator().manual_seed(gang.rank)
    real, fake = torch.randn(6, 2, generator=rng), torch.randn(6, 2, generator=rng)
    scores = critic(real).mean() if with_scores else 0.0
    (scores + gradient_penalty(critic, real, fake, Draws(rng)).mean()).backward()
    try:
        gang.check_gradients(list(critic.parameters()))
    except StageFailed as error:
        return error.message
    return ""


def averaged(gang: Gang) -> list[float]:
    """The gradient of a loss that is a penalty alone; the last bias takes none."""
    game = penalised_game(0)
    critic = game.player("critic").module
    draws = Draws(torch.Generator().manual_seed(5), gang)
    x = gang.share(points().x[:8])
    gradient_penalty(critic, x, x.flip(1), draws).mean().backward()
    parameters = list(critic.parameters())
    gang.average(parameters)
    gang.check_gradients(parameters)
    return torch.cat([item.grad.flatten() for item in parameters if item.grad is not None]).tolist()


def played_with_penalty(seed: int, gang: Gang) -> list[float]:
    match = Match(penalised_game(seed), "cpu")
    play(match, points(), Rules(steps=STEPS, batch=BATCH, seed=1), lambda *_: None, gang)
    return torch.cat([value.flatten() for value in match.tensors()]).tolist()


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
    seen |= {"penalised": played_with_penalty(rank, gang), "penalty": averaged(gang)}
    seen |= {
        "penalty alone": wrapped(gang, with_scores=False),
        "with scores": wrapped(gang, with_scores=True),
        "static graph": wrapped(gang, with_scores=True, static=True),
    }
    (folder / f"{rank}.json").write_text(json.dumps(seen))
    dist.barrier()
    os._exit(0)  # gloo's threads may end the process with SIGABRT when the interpreter tears them down


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
