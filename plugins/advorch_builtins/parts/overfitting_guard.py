"""An end to catastrophic overfitting: Wong, Rice and Kolter, ICLR 2020 (arXiv:2001.03994). When accuracy under PGD on
the first training batch falls by more than a fifth in one epoch, the weights of the epoch before are the result."""

import torch
from torch import Tensor, nn

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.traceless import evaluating
from advorch.kit.training.parts import Parts, Site
from advorch.kit.training.sampling import order, take
from advorch_builtins.parts.params import OverfittingGuardParams


def overfitting_guard(site: Site, params: OverfittingGuardParams) -> Parts:
    """The watcher alone."""
    return Parts(watchers=(OverfittingGuard(site, params),))


class OverfittingGuard:
    """Keeps the weights of the last epoch, and how they stood."""

    def __init__(self, site: Site, params: OverfittingGuardParams) -> None:
        first = order(site.seeds.stream("order"), 1, len(site.data))[: site.settings.batch]
        self._batch = take(site.data, first, site.device)
        self._ranks = site.ranks
        self._attack = site.attacks(params.attack, "eval")
        self._seed = site.seeds.stream("overfitting-guard")
        self._drop = params.drop
        self._accuracy = -1.0
        self._weights: dict[str, Tensor] = {}

    def watch(self, model: nn.Module, epoch: int, /) -> bool:
        """Put the last epoch's weights back, and end, if this one lost too much."""
        accuracy = self._measure(model)
        if self._accuracy - accuracy > self._drop:
            model.load_state_dict(self._weights)
            return True
        self._accuracy = accuracy
        self._weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
        return False

    def _measure(self, model: nn.Module) -> float:
        draws = Draws(self._seed, self._batch.ids)
        adversarial = self._attack(model, self._batch.x, self._batch.y, draws, None)
        with evaluating(model), torch.no_grad():
            right = model(adversarial).argmax(1) == self._batch.y
        return float(self._ranks.total(right.double().mean())) / self._ranks.size  # the same on every rank

    def state(self) -> dict[str, Tensor]:
        """The last accuracy and weights."""
        return {"accuracy": torch.tensor(self._accuracy, dtype=torch.float64)} | {
            f"weights/{name}": value for name, value in self._weights.items()
        }

    def restore(self, state: dict[str, Tensor], /) -> None:
        """Go on from there."""
        self._accuracy = float(state["accuracy"])
        held = [(name, value) for name, value in state.items() if name.startswith("weights/")]
        self._weights = {name.removeprefix("weights/"): value for name, value in held}
