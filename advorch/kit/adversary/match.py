"""A game under way: its optimisers, its averages and its position."""

import contextlib
from collections.abc import Iterator

from torch import Tensor, nn
from torch.optim import Optimizer

from advorch.kit.adversary.averaging import Ema
from advorch.kit.adversary.game import Game
from advorch.kit.adversary.generator import draw


class Match:
    """Everything that changes while a game is played; what `checkpoint` saves and restores."""

    def __init__(self, game: Game, device: str) -> None:
        for player in game.players:
            player.module.to(device).train()
        self.game, self.device = game, device
        self.parameters = {player.name: _trainable(player.module) for player in game.players}
        self.optimizers: dict[str, Optimizer] = {
            player.name: player.optimizer(self.parameters[player.name]) for player in game.players
        }
        self.ema = Ema(game.generator, game.ema) if game.ema else None
        self.step = 0
        self.drawn = 0

    @contextlib.contextmanager
    def turn_of(self, name: str) -> Iterator[None]:
        """Only this player's parameters take gradients: the others' are neither computed nor kept."""
        everyone = {parameter for parameters in self.parameters.values() for parameter in parameters}
        others = everyone - set(self.parameters[name])
        for parameter in others:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in others:
                parameter.requires_grad_(True)

    def tensors(self) -> list[Tensor]:
        """All weights and buffers of all players."""
        return [value for player in self.game.players for value in player.module.state_dict().values()]

    def buffers(self) -> list[Tensor]:
        """Running statistics, which every rank gathers for itself."""
        return [buffer for player in self.game.players for buffer in player.module.buffers()]

    @contextlib.contextmanager
    def result(self) -> Iterator[nn.Module]:
        """The module that samples are drawn from, with its averaged weights if there are any, in eval mode."""
        module = self.game.generator
        with self.ema.swapped_in() if self.ema else contextlib.nullcontext():
            module.eval()
            try:
                yield module
            finally:
                module.train()

    def sample(self, count: int, seed: int, batch: int = 1024) -> Tensor:
        """Draw from the result, on the CPU; the same for the same seed and batch."""
        with self.result():
            return draw(self.game, count, seed, device=self.device, batch=batch)


def _trainable(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]
