"""What an architecture promises: raw values in, one logit a class out, the same weights under the same seed."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn

from advorch.artifacts import Signature
from advorch.components import AnyComponent, Model, Wrapper
from advorch.errors import StageFailed
from advorch.kit.attack.refusal import refuses
from advorch.testing.check import Check, ContractBroken, NotApplicable, demand
from advorch.testing.common import unfit, usable_params
from advorch.testing.fakes import tiny_data
from advorch.threat import Access

SHAPES: Final = ((12,), (1, 16, 16), (1, 28, 28), (3, 32, 32))
LARGE: Final = ((3, 64, 64), (3, 224, 224))  # tried where all others are refused
BOX: Final = (0.0, 1.0)

AnyModel = Model[Any] | Wrapper[Any]


def checks(component: AnyComponent) -> list[Check]:
    """The promises of a model, or of what surrounds one, on the shapes that it does not refuse."""
    assert isinstance(component, Model | Wrapper)
    tests: list[Callable[[AnyModel], None]] = [
        gives_one_logit_a_class, is_built_alike_under_a_seed, takes_every_shape_that_it_does_not_refuse,
        has_weights_that_safetensors_can_hold, judges_a_sample_alone_as_in_a_batch, grants_what_it_says,
        draws_if_it_says_so, refuses_if_it_says_so,
    ]  # fmt: skip
    return [Check(test.__name__.replace("_", " "), partial(test, component)) for test in tests]


def gives_one_logit_a_class(component: AnyModel) -> None:
    for classes in (2, 3, 10):
        module, x = _built(component, classes)
        with torch.no_grad():
            for mode in (True, False):
                _demand_logits(module.train(mode)(x), len(x), classes + _further(component))


def takes_every_shape_that_it_does_not_refuse(component: AnyModel) -> None:
    for shape in _fitting(component):
        module, x = _built(component, 2, shape)
        with torch.no_grad():
            _demand_logits(module.eval()(x), len(x), 2 + _further(component))


def is_built_alike_under_a_seed(component: AnyModel) -> None:
    first, second = (_built(component, 3)[0].state_dict() for _ in range(2))
    differing = [name for name, value in first.items() if not torch.equal(value, second[name])]
    demand(first.keys() == second.keys() and not differing, f"two builds under one seed differ in {differing[:3]}")


def has_weights_that_safetensors_can_hold(component: AnyModel) -> None:
    module, x = _built(component, 2)
    try:
        content = save_safetensors(module.state_dict())
    except (RuntimeError, ValueError) as error:
        raise ContractBroken(f"the state dict cannot be stored: {error}") from error
    again, _ = _built(component, 2, seed=1)
    again.load_state_dict(load_safetensors(content))
    with torch.no_grad():
        same = torch.equal(_seeded(module.eval(), x), _seeded(again.eval(), x))
    demand(same, "a model with the stored weights answers otherwise: something is outside the state dict")


def judges_a_sample_alone_as_in_a_batch(component: AnyModel) -> None:
    if _draws(component):
        raise NotApplicable("it draws in every forward pass")
    module, x = _built(component, 2)
    with torch.no_grad():
        together, alone = module.eval()(x), module(x[:1])
    demand(torch.allclose(together[:1], alone, atol=1e-4), "in eval mode a sample's logits depend on its batch")


def grants_what_it_says(component: AnyModel) -> None:
    if isinstance(component, Model) and component.grants(usable_params(component)) is not Access.GRADIENTS:
        return
    module, x = _built(component, 2)
    logits: Tensor = module.eval()(x.requires_grad_())
    demand(logits.requires_grad, "gradients are granted and the logits have none: set `grants`")
    (gradient,) = torch.autograd.grad(logits.square().sum(), x, allow_unused=True)
    demand(gradient is not None and torch.isfinite(gradient).all(), "no finite gradient reaches the input")


def draws_if_it_says_so(component: AnyModel) -> None:
    """What is random in evaluation mode says so, since attacks and verdicts have to know."""
    module, x = _built(component, 2)
    with torch.no_grad(), torch.random.fork_rng():
        differ = not torch.equal(module.eval()(x), module(x))
    demand(differ == _draws(component), f"two forward passes {'differ' if differ else 'agree'}: see `random`")


def refuses_if_it_says_so(component: AnyModel) -> None:
    """Attacks and verdicts ask the module, planners the component."""
    module, _ = _built(component, 2)
    demand(refuses(module) == bool(_further(component)), "`refuses` of the module is not what the component says")


def _draws(component: AnyModel) -> bool:
    return isinstance(component, Wrapper) and component.random


def _further(component: AnyModel) -> int:
    """How many logits there are beside those of the classes."""
    return int(isinstance(component, Wrapper) and component.refuses)


def _seeded(module: nn.Module, x: Tensor) -> Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        logits: Tensor = module(x)
    return logits


def _demand_logits(logits: Any, count: int, classes: int) -> None:
    demand(isinstance(logits, Tensor), f"forward returned {type(logits).__name__}")
    demand(tuple(logits.shape) == (count, classes), f"logits of shape {tuple(logits.shape)}, not {(count, classes)}")
    demand(torch.isfinite(logits).all(), "logits are not finite")


def _built(
    component: AnyModel, classes: int, shape: tuple[int, ...] | None = None, seed: int = 0
) -> tuple[nn.Module, Tensor]:
    shape = shape or next(_fitting(component))
    data = tiny_data(4, shape, classes, box=BOX)
    return _build(component, data.signature, seed), data.x


def _build(component: AnyModel, signature: Signature, seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        inner = (_inner(signature),) if isinstance(component, Wrapper) else ()
        module = component.load()(usable_params(component), signature, *inner)
    demand(isinstance(module, nn.Module), f"returned {type(module).__name__}, not a torch module")
    return module


def _inner(signature: Signature) -> nn.Module:
    """A small net to be surrounded, on any shape."""
    features = math.prod(signature.shape)
    return nn.Sequential(nn.Flatten(), nn.Linear(features, 8), nn.Tanh(), nn.Linear(8, len(signature.classes)))


def _fitting(component: AnyModel) -> Iterator[tuple[int, ...]]:
    """The shapes that the model takes; one that takes none breaks its contract."""
    reason, taken = "", 0
    for shape in (*SHAPES, *LARGE):
        if taken and shape in LARGE:
            return
        try:
            _build(component, tiny_data(4, shape, 2, box=BOX).signature, 0)
        except StageFailed as refusal:
            if not unfit(refusal):
                raise
            reason = refusal.message
        else:
            taken += 1
            yield shape
    if not taken:
        raise ContractBroken(f"refuses every shape of {SHAPES}: {reason}")
