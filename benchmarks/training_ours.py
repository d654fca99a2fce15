"""The project's own recipes, as a stage trains by them."""

from functools import partial
from typing import Any

from torch import Tensor, nn
from training_by_hand import ALPHA, BETA, EPSILON, LAMBDA, RHO, STEPS

from advorch.api import Objective
from advorch.hosts.training import make_parts
from advorch.kit.data import Data
from advorch.kit.training.attacks import NamedAttacks
from advorch.kit.training.trainer import Recipe, Trainer
from advorch.seeds import Seeds
from advorch_builtins.attacks import catalog as attacks
from advorch_builtins.defenses import catalog as defenses
from advorch_builtins.models import catalog as models
from advorch_builtins.parts import catalog as parts
from advorch_builtins.training import catalog as training

_INNER = {"epsilon": EPSILON, "steps": STEPS, "alpha": ALPHA}
CHOICE: dict[str, tuple[str, dict[str, Any]]] = {
    "erm": ("train/erm", {}),
    "pgd": ("defend/adversarial", {"attack": {"uses": "pgd", "with": _INNER}}),
    "fast": ("defend/fast", {"epsilon": EPSILON}),
    "trades": ("defend/trades", {"lambda": BETA, "attack": {"uses": "near-pgd", "with": _INNER}}),
    "sam": ("train/sam", {"rho": RHO}),
    "gradient-penalty": ("defend/gradient-penalty", {"lambda": LAMBDA}),
    "mart": ("defend/mart", {"attack": {"uses": "near-pgd", "with": {**_INNER, "loss": "cross-entropy"}}}),
    "awp": ("defend/awp", {"attack": {"uses": "pgd", "with": _INNER}}),
    "descent-direction": ("defend/descent-direction", {"draws": 2, "attack": {"uses": "pgd", "with": _INNER}}),
    "vat": ("train/vat", {"epsilon": 2.1}),
}


class Desk:
    """What a host asks of its context here: components by name, also where advorch is not installed."""

    def __init__(self) -> None:
        every = (attacks, defenses, models, parts, training)
        self._known = {item.id: item for catalog in every for item in catalog.advorch_components()}

    def lookup(self, component: str) -> Any:
        return self._known[component]


def trainer(desk: Desk, name: str, model: nn.Module, data: Data, **values: Any) -> Trainer:
    """A trainer by a recipe's name; every call of its `epoch` is one pass over the data."""
    component, own = CHOICE[name]
    objective = desk.lookup(component)
    assert isinstance(objective, Objective)
    settings: Any = objective.schema().parse({"epochs": 1000, "optimizer": "adam", "lr": 1e-4} | own | values)
    loss: Any = objective.load()

    def call(step: Any) -> Tensor:
        found: Tensor = loss(step, settings)
        return found

    return Trainer(Recipe(
        model=model, objective=call, data=data, settings=settings, seeds=Seeds(0),
        attacks=NamedAttacks(desk.lookup, data.box),
        parts=partial(make_parts, desk, objective, settings),  # type: ignore[arg-type]
    ))  # fmt: skip
