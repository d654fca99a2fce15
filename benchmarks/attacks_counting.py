"""What one step of an attack asks of torch: kernels, views left out, and waits for the device."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from attacks_task import CLASSES, Contestant, Task
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

_WAITS = ("aten._local_scalar_dense", "aten.nonzero", "aten.masked_select", "aten.equal", "aten.is_nonzero")
_FREE = ("aten.detach", "aten.alias", "aten.lift_fresh")
_FEW, _MANY = 20, 60


class Count(NamedTuple):
    """By step, beyond one forward pass, the cross-entropy and one input gradient."""

    kernels: float
    waits: float


class _Watch(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.kernels: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func)
        if not func.is_view and not name.startswith(_FREE):
            self.kernels[name] += 1
            self.kernels["waits"] += name.startswith(_WAITS) or _picks_by_mask(name, args)
        return func(*args, **(kwargs or {}))


def _picks_by_mask(name: str, arguments: Any) -> bool:
    """Indexing by true and false has to know how many are true."""
    if not name.startswith(("aten.index.", "aten.index_put")):
        return False
    return any(isinstance(index, Tensor) and index.dtype == torch.bool for index in arguments[1])


def a_step(contestant: Contestant, task: Task) -> Count | None:
    """The difference between many steps and few, against a net that nobody fools within this epsilon."""
    if task.steps < 2:
        return None
    module, x = _small(), torch.rand(16, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        y = module(x).argmax(1)
    counts = []
    for steps in (_FEW, _MANY):
        attack = contestant(module, replace(task, steps=steps, epsilon=1e-5 if task.epsilon else None))
        if attack is None:
            return None
        counts.append(_count(lambda attack=attack: attack(x, y)))
    own = 0 if task.kind == "square" else _count(lambda: _own(module, x, y))["total"]
    own = own or _count(lambda: _look(module, x))["total"]
    per_step = {name: (counts[1][name] - counts[0][name]) / (_MANY - _FEW) for name in ("total", "waits")}
    return Count(per_step["total"] - own, per_step["waits"])


def _small() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(36, 16), nn.ReLU(), nn.Linear(16, CLASSES)).eval()


def _count(work: Callable[[], object]) -> Counter[str]:
    with _Watch() as watch:
        work()
    waits = watch.kernels.pop("waits", 0)
    return Counter({"total": sum(watch.kernels.values()), "waits": waits})


def _own(module: nn.Module, x: Tensor, y: Tensor) -> None:
    z = x.detach().requires_grad_()
    torch.autograd.grad(functional.cross_entropy(module(z), y, reduction="sum"), z)


def _look(module: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        module(x)
