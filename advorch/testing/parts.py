"""What a part promises: a loss trains with it as before, stopping changes nothing, and the model keeps its shape."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from advorch.components import AnyComponent, Part
from advorch.kit.training import checkpoint
from advorch.kit.training.parts import Parts, Site
from advorch.kit.training.selection import Selection
from advorch.kit.training.step import Step
from advorch.kit.training.trainer import Recipe, Trainer
from advorch.params import AttackRef
from advorch.seeds import Seeds
from advorch.settings import TrainingSettings
from advorch.testing.check import Check, demand
from advorch.testing.common import small_params
from advorch.testing.fakes import learnable_data, small_conv
from advorch.testing.objectives import EPSILON, attack_by_sign

EPOCHS = 4
ATTACK = AttackRef.parse({"uses": "stand-in", "with": {"epsilon": EPSILON}})
ENOUGH_ACCURACY = 0.75  # on samples of two classes that one threshold tells apart


def checks(component: AnyComponent) -> list[Check]:
    """The promises of a part, beside a loss on clean and attacked samples."""
    assert isinstance(component, Part)
    tests: list[Callable[[Part[Any]], None]] = [
        brings_something, trains_a_model, stops_and_goes_on_bit_for_bit, hands_over_the_same_architecture,
        leaves_its_parameters_and_modes_alone,
    ]  # fmt: skip
    return [Check(test.__name__.replace("_", " "), partial(test, component)) for test in tests]


def brings_something(component: Part[Any]) -> None:
    brought = _trainer(component).parts
    demand(isinstance(brought, Parts), f"made a {type(brought).__name__}, not the pieces of a training")
    demand(brought != Parts(), "brings no piece at all")


def trains_a_model(component: Part[Any]) -> None:
    trainer = _trained(component, 3 * EPOCHS)
    data = _data()
    with torch.no_grad():
        accuracy = float((trainer.judged().eval()(data.x).argmax(1) == data.y).float().mean())
    demand(accuracy >= ENOUGH_ACCURACY, f"after {3 * EPOCHS} easy epochs the accuracy is {accuracy:.2f}")


def stops_and_goes_on_bit_for_bit(component: Part[Any]) -> None:
    straight = _trained(component, EPOCHS)
    first, second = _trained(component, EPOCHS // 2), _trainer(component)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(Path(folder), first, Selection(keep="last"))
        checkpoint.load(Path(folder), second, Selection(keep="last"))
    _run(second, range(EPOCHS // 2 + 1, EPOCHS + 1))
    for wanted, found in ((straight.model, second.model), (straight.judged(), second.judged())):
        one, other = wanted.state_dict(), found.state_dict()
        different = [name for name, value in one.items() if not torch.equal(value, other[name])]
        demand(not different, f"a training that was stopped differs afterwards in {', '.join(different)}")


def hands_over_the_same_architecture(component: Part[Any]) -> None:
    wanted, found = _model().state_dict(), _trained(component, 1).judged().state_dict()
    demand(wanted.keys() == found.keys(), f"hands over {', '.join(found)} where the model has {', '.join(wanted)}")
    shapes = [name for name, value in wanted.items() if value.shape != found[name].shape]
    demand(not shapes, f"hands over other shapes of {', '.join(shapes)}")


def leaves_its_parameters_and_modes_alone(component: Part[Any]) -> None:
    trainer = _trained(component, 1)
    demand(all(part.training for part in trainer.model.modules()), "the model is no longer in training")
    demand(all(weight.requires_grad for weight in trainer.model.parameters()), "weights no longer take gradients")


def _run(trainer: Trainer, epochs: range) -> None:
    with torch.random.fork_rng():
        for number in epochs:
            trainer.epoch(number)
            trainer.watched(number)


def _trained(component: Part[Any], epochs: int) -> Trainer:
    trainer = _trainer(component)
    _run(trainer, range(1, epochs + 1))
    return trainer


def _data() -> Any:
    """The last batch of an epoch is smaller than the others."""
    return learnable_data(58, (1, 8, 8), 2)


def _model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return small_conv(1, 8, 2).train()


def _trainer(component: Part[Any]) -> Trainer:
    function, params = component.load(), small_params(component)

    def made(site: Site) -> Parts:
        return function(site, params)

    settings = TrainingSettings(epochs=EPOCHS, batch=16, lr=1e-2)
    return Trainer(Recipe(
        model=_model(), objective=_loss, data=_data(), settings=settings, seeds=Seeds(0), attacks=attack_by_sign,
        parts=made,
    ))  # fmt: skip


def _loss(step: Step) -> Tensor:
    """Half on clean samples and half on attacked ones, so that every piece finds what it looks for."""
    logits = step.model(torch.cat([step.x, step.attack(ATTACK)]))
    clean, hard = logits.chunk(2)
    step.judge(hard)
    return nn.functional.cross_entropy(clean, step.y) / 2 + nn.functional.cross_entropy(hard, step.y) / 2
