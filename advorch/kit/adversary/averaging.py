"""An exponential moving average of a module's weights."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn


class Ema:
    """Averaged parameters beside the live ones; buffers are copied, since averaged statistics fit no weights."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._module, self._decay = module, decay
        self.state = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take one step towards the live weights."""
        trained = {name for name, _ in self._module.named_parameters()}
        for name, live in self._module.state_dict().items():
            kept = self.state[name]
            if name in trained and kept.is_floating_point():
                kept.lerp_(live, 1 - self._decay)
            else:
                kept.copy_(live)

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue from a saved average."""
        for name, value in state.items():
            self.state[name].copy_(value)

    @contextlib.contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Let the module hold the averaged weights for a while."""
        live = {name: value.detach().clone() for name, value in self._module.state_dict().items()}
        self._module.load_state_dict(self.state)
        try:
            yield
        finally:
            self._module.load_state_dict(live)
