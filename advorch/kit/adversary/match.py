"""A game under way: its optimisers, its averages and its position."""

import contextlib
from collections.abc import Iterator

from torch import Tensor, nn
from torch.optim import Optimizer

from advorch.kit.adversary.averaging import Ema
from advorch.kit.adversary.game import Game
from advorch.kit.adversary.generator import draw, draw_of


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
        self._others = {name: self._everyone_but(name) for name in self.parameters}
        self._rates = {
            name: [group["lr"] for group in optimizer.param_groups] for name, optimizer in self.optimizers.items()
        }
        self.ema = Ema(game.generator, game.ema) if game.ema else None
        self.step = 0
        self.drawn = 0

    def begin(self, step: int, steps: int) -> None:
        """Bring learning rates to where they are after so many of all steps, and renew optimisers where it is time."""
        for player in self.game.players:
            if player.rate:
                factor = player.rate(step / steps)
                groups = self.optimizers[player.name].param_groups
                for group, base in zip(groups, self._rates[player.name], strict=True):
                    group["lr"] = base * factor
        if step and any((step - 1) / steps < share <= step / steps for share in self.game.renewals):
            for optimizer in self.optimizers.values():
                optimizer.state.clear()

    @contextlib.contextmanager
    def turn_of(self, name: str) -> Iterator[None]:
        """Only this player's parameters take gradients: the others' are neither computed nor kept."""
        others = self._others[name]
        for parameter in others:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in others:
                parameter.requires_grad_(True)

    def _everyone_but(self, name: str) -> list[nn.Parameter]:
        own = set(self.parameters[name])
        return [item for parameters in self.parameters.values() for item in parameters if item not in own]

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

    def sample_of(self, y: Tensor, seed: int, batch: int = 1024) -> Tensor:
        """Draw a sample of each class that is asked for."""
        with self.result():
            return draw_of(self.game, y, seed, device=self.device, batch=batch)


def _trainable(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]
