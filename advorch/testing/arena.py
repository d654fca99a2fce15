"""Where attacks are tried: small victims, and the snapshots that show whether they were touched."""

import copy
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import Tensor, nn

from advorch.components import Attack
from advorch.errors import StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.errors import AccessDenied
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Finish, Victim
from advorch.kit.data import Data
from advorch.testing.check import ContractBroken
from advorch.testing.common import small_params, unfit, usable_params
from advorch.testing.fakes import LinearModel, small_conv, small_mlp, stripes, tiny_data
from advorch.threat import Budget, Norm

RADIUS: Final[Mapping[Norm, float]] = {
    Norm.LINF: 0.1, Norm.L2: 0.5, Norm.L1: 2.0, Norm.L0: 3.0, Norm.UNBOUNDED: 1.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model and samples that it gets right, since `y` is what it says of them."""

    name: str
    module: nn.Module
    x: Tensor
    y: Tensor
    ids: Tensor
    classes: int

    @classmethod
    def of(cls, name: str, module: nn.Module, data: Data) -> "Case":
        """The samples of the data, labelled by the model."""
        with torch.no_grad():
            y = module.eval()(data.x).argmax(1)
        return cls(name=name, module=module, x=data.x, y=y, ids=data.ids, classes=len(data.classes))

    def epsilon(self, norm: Norm) -> float:
        """A radius that is neither hopeless nor the whole box."""
        return RADIUS[norm]

    def distance(self, norm: Norm) -> Tensor:
        """How far the samples are from the boundary, where that is known."""
        assert isinstance(self.module, LinearModel)
        return self.module.distance(self.x, norm)

    def double(self) -> "Case":
        """The same in float64."""
        return replace(self, module=copy.deepcopy(self.module).double(), x=self.x.double())

    def take(self, row: int) -> "Case":
        """One sample alone."""
        part = slice(row, row + 1)
        return replace(self, x=self.x[part], y=self.y[part], ids=self.ids[part])

    def with_module(self, module: nn.Module) -> "Case":
        """The same samples against another module."""
        return replace(self, module=module)

    def with_samples(self, x: Tensor) -> "Case":
        """Other samples, labelled by the model."""
        with torch.no_grad():
            return replace(self, x=x, y=self.module.eval()(x).argmax(1))


def linear_cases() -> list[Case]:
    """Models with a known answer, samples close enough to the boundary that the box is far."""
    cases = []
    for classes in (2, 3):
        module = LinearModel(12, classes)
        data = tiny_data(8, (12,), classes)
        near = replace(data, x=0.5 + 0.1 * (data.x - 0.5))
        cases.append(Case.of(f"linear model with {classes} classes and a boundary near", module, near))
    return cases


def small_cases() -> list[Case]:
    """Two, three and ten classes; vectors and images."""
    return [
        Case.of("linear model with 2 classes", LinearModel(12, 2), tiny_data(8, (12,), 2)),
        Case.of("perceptron with 10 classes", small_mlp(16, 10), tiny_data(8, (16,), 10)),
        Case.of("convolutions with 3 classes", small_conv(1, 8, 3), tiny_data(8, (1, 8, 8), 3)),
    ]


class Arena:
    """One attack against the small victims, the way that a host runs it."""

    def __init__(self, component: Attack[Any]) -> None:
        self.component = component
        self._refusals: dict[tuple[str, Norm], str] = {}
        self._plain: dict[tuple[str, Norm, torch.dtype], Tensor] = {}

    def grounds(
        self, *, bounded: bool = False, among: Iterable[Case] | None = None, norms: Iterable[Norm] = tuple(Norm)
    ) -> Iterator[tuple[Case, Norm]]:
        """Every case in every norm that the attack takes; an attack that takes none breaks its contract."""
        wanted = sorted(self.component.threat.norms & set(norms) - ({Norm.UNBOUNDED} if bounded else set()))
        taken, reason = 0, ""
        for case in small_cases() if among is None else among:
            for norm in wanted:
                refusal = self._refusal(case, norm)
                reason = refusal or reason
                if not refusal:
                    taken += 1
                    yield case, norm
        if wanted and among is None and not taken:
            raise ContractBroken(f"refuses vectors and images, two and more classes: {reason}")

    def plain(self, case: Case, norm: Norm) -> Tensor:
        """What the attack finds of a case as it is, with nothing more said; one run for all checks that look at it."""
        if (key := (case.name, norm, case.x.dtype)) not in self._plain:
            self._plain[key] = self.attack(case, norm)
        return self._plain[key]

    def attack(  # noqa: PLR0913 - one way to run an attack, with everything that a host decides
        self,
        case: Case,
        norm: Norm,
        *,
        epsilon: float | Tensor | None = None,
        target: Tensor | None = None,
        finish: Finish = Finish.FOOLED,
        seed: int = 0,
        fresh: int = 0,
        full: bool = False,
        budget: Budget = Budget.FIXED,
        batch: int | None = None,
    ) -> Tensor:
        """Perturb a case's samples; `fresh` sets the global random state, `full` keeps the attack's own budgets."""
        threat = self.component.threat
        victim = Victim(
            case.module,
            box=(0.0, 1.0),
            norm=norm,
            epsilon=case.epsilon(norm) if epsilon is None else epsilon,
            access=threat.access,
            targeted=target is not None,
            finish=finish,
            surrogates=(case.module,) if self.component.surrogates else (),
            perturbation=stripes(case.x.shape[1:], RADIUS[norm], case.classes) if self.component.perturbation else None,
            budget=budget,
            batch=batch,
        )
        params = usable_params(self.component) if full else small_params(self.component)
        goal = case.y if target is None else target
        with untouched(case.module, seed=fresh):
            found: Tensor = self.component.load()(victim, case.x.clone(), goal, params, Draws(seed, case.ids))
        return found

    def _refusal(self, case: Case, norm: Norm) -> str:
        """Why the attack does not take a case, if it says so by a user error."""
        key = (case.name, norm)
        if key not in self._refusals:
            self._refusals[key] = self._try(case.take(0), norm)
        return self._refusals[key]

    def _try(self, case: Case, norm: Norm) -> str:
        try:
            self.attack(case, norm)
        except AccessDenied as denied:
            raise ContractBroken(denied.message) from denied
        except StageFailed as refusal:
            if unfit(refusal):
                return refusal.message
            raise
        return ""


def radius_excess(x: Tensor, z: Tensor, norm: Norm, epsilon: float | Tensor) -> Tensor:
    """How much further than epsilon each sample went, one unit in the last place of every number granted."""
    step = (z.double() - x.double()).flatten(1)
    ulp = torch.finfo(x.dtype).eps * torch.maximum(z.abs(), x.abs()).double().flatten(1)
    reach = torch.as_tensor(epsilon, dtype=x.dtype).double()
    if norm is Norm.L0:
        return (step != 0).sum(1) - reach
    order = {Norm.LINF: torch.inf, Norm.L2: 2.0, Norm.L1: 1.0}[norm]
    length: Tensor
    slack: Tensor
    length, slack = (torch.linalg.vector_norm(part, ord=order, dim=1) for part in (step, ulp))
    return length - slack - reach * (1 + torch.finfo(x.dtype).eps)


def disturbed(module: nn.Module) -> nn.Module:
    """A copy in the middle of somebody's training: mixed modes, frozen parts, gradients already there."""
    module = copy.deepcopy(module).train()
    for number, part in enumerate(module.modules()):
        part.training = number % 2 == 0
    for number, parameter in enumerate(module.parameters()):
        parameter.requires_grad_(number % 3 != 1)
        if parameter.requires_grad:
            parameter.grad = torch.full_like(parameter, 0.25)
    return module


def snapshot(module: nn.Module) -> tuple[Any, ...]:
    """Everything about a module and the random state that an attack must leave alone, comparable by `==`."""
    parameters = [(name, _bits(p), p.requires_grad, _bits(p.grad)) for name, p in module.named_parameters()]
    buffers = [(name, _bits(buffer)) for name, buffer in module.named_buffers()]
    modes = [part.training for part in module.modules()]
    return parameters, buffers, modes, random.getstate(), _bits(torch.get_rng_state()), torch.is_grad_enabled()


def _bits(tensor: Tensor | None) -> object:
    return None if tensor is None else (tensor.dtype, tensor.detach().cpu().numpy().tobytes())


class Failing(nn.Module):
    """A model that works so many times and then raises."""

    class Failed(RuntimeError):
        """Raised by the model, and nobody's to handle."""

    def __init__(self, module: nn.Module, calls: int) -> None:
        super().__init__()
        self.module = module
        self.left = calls
        self.failed = False

    def forward(self, x: Tensor) -> Tensor:
        if not self.left:
            self.failed = True
            raise Failing.Failed("this model fails on purpose")
        self.left -= 1
        logits: Tensor = self.module(x)
        return logits


class Counting(nn.Module):
    """Remembers the most rows that it was shown at once."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.most = 0

    def forward(self, x: Tensor) -> Tensor:
        self.most = max(self.most, len(x))
        logits: Tensor = self.module(x)
        return logits
