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
        live = {name: value for name, value in module.named_parameters() if value.is_floating_point()}
        self._live = [value.detach() for value in live.values()]  # shares memory, whatever is loaded into it
        self._kept = [self.state[name] for name in live]
        self._copied = sorted(self.state.keys() - live.keys())

    @torch.no_grad()
    def update(self) -> None:
        """Take one step towards the live weights."""
        if self._live:
            torch._foreach_lerp_(self._kept, self._live, 1 - self._decay)
        if self._copied:
            live = self._module.state_dict()
            for name in self._copied:
                self.state[name].copy_(live[name])

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
