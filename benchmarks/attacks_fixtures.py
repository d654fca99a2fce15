"""Write what other libraries find on a tiny net to tests/unit/attacks/fixtures, for machines that have none of them.

    python benchmarks/attacks_fixtures.py

One file a library: name, version, weights, samples, labels, and the points of each attack; numbers only.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from attacks_peers import imported_adv_lib
from torch import Tensor, nn

FOLDER = Path(__file__).parents[1] / "tests/unit/attacks/fixtures"
EPSILON, ALPHA, STEPS, CLASSES, COUNT = 0.2, 0.03, 12, 4, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One attack: the component's name and settings here, the peer's call, and which samples it is made on."""

    attack: str
    call: Callable[[nn.Module, Tensor, Tensor], Tensor]
    norm: str = "linf"
    epsilon: float | None = EPSILON
    settings: dict[str, float | bool]
    inner: bool = False


def net() -> nn.Module:
    """Nine numbers to four classes, all of them met around the middle of the box; smooth, so that gradients differ."""
    torch.manual_seed(20)
    module = nn.Sequential(nn.Flatten(), nn.Linear(9, 8), nn.Tanh(), nn.Linear(8, CLASSES))
    first, last = module.get_submodule("1"), module.get_submodule("3")
    for layer in (first, last):
        layer.get_parameter("weight").data.mul_(5)
        layer.get_parameter("bias").data.zero_()
    first.get_parameter("bias").data.sub_(first.get_parameter("weight").data.sum(1) / 2)
    return module.eval()


def samples(*, inner: bool) -> Tensor:
    """Images with many numbers at the edge of the box, or with none near it."""
    x = (torch.rand(COUNT, 1, 3, 3, generator=torch.Generator().manual_seed(21)) * 1.6 - 0.3).clamp(0, 1)
    return 0.35 + 0.3 * x if inner else x


_PGD = {"steps": STEPS, "alpha": ALPHA, "random_start": False}


def _torchattacks() -> Iterator[Case]:
    import torchattacks as peer

    pgd = {"eps": EPSILON, "alpha": ALPHA, "steps": STEPS}
    yield Case(attack="fgsm", settings={}, call=lambda m, x, y: peer.FGSM(m, eps=EPSILON)(x, y))
    yield Case(attack="pgd", settings=_PGD, call=lambda m, x, y: peer.PGD(m, **pgd, random_start=False)(x, y))
    yield Case(
        attack="pgd", norm="l2", settings=_PGD, inner=True,
        call=lambda m, x, y: peer.PGDL2(m, **pgd, random_start=False)(x, y),
    )  # fmt: skip
    mim = {"steps": STEPS, "alpha": ALPHA, "decay": 1.0}
    yield Case(attack="mim", settings=mim, call=lambda m, x, y: peer.MIFGSM(m, **pgd, decay=1.0)(x, y))


def _foolbox() -> Iterator[Case]:
    import foolbox
    from foolbox import attacks as peer

    def call(attack: Any, epsilon: float | None = EPSILON) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
        return lambda m, x, y: attack(foolbox.PyTorchModel(m, bounds=(0, 1), device="cpu"), x, y, epsilons=epsilon)[1]

    pgd = {"abs_stepsize": ALPHA, "steps": STEPS, "random_start": False}
    yield Case(attack="fgsm", settings={}, call=call(peer.LinfFastGradientAttack()))
    yield Case(attack="pgd", settings=_PGD, call=call(peer.LinfProjectedGradientDescentAttack(**pgd)))
    deepfool = peer.L2DeepFoolAttack(steps=50, candidates=CLASSES, overshoot=0.02)
    settings = {"steps": 50, "classes": CLASSES, "overshoot": 0.02}
    yield Case(attack="deepfool", norm="l2", epsilon=None, settings=settings, inner=True, call=call(deepfool, None))


def _adv_lib() -> Iterator[Case]:
    peer = imported_adv_lib()
    search = {"binary_search_steps": 6, "max_iterations": 200, "learning_rate": 0.05, "initial_const": 1.0}
    yield Case(
        attack="cw", norm="l2", epsilon=None, settings={"steps": 200, "searches": 6, "lr": 0.05}, inner=True,
        call=lambda m, x, y: peer.carlini_wagner_l2(m, x, y, **search),
    )  # fmt: skip
    settings = {"steps": 50, "classes": CLASSES, "overshoot": 0.02}
    yield Case(
        attack="deepfool", norm="l2", epsilon=None, settings=settings, inner=True,
        call=lambda m, x, y: peer.df(m, x, y, steps=50, overshoot=0.02, return_unsuccessful=True),
    )  # fmt: skip


def _autoattack() -> Iterator[Case]:
    from autoattack.autopgd_base import APGDAttack

    def apgd(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        attack = APGDAttack(module, n_iter=25, norm="Linf", eps=EPSILON, loss="ce", seed=0, device="cpu")
        attack.init_hyperparam(x)
        hardest: Tensor = attack.attack_single_run(x, y, x_init=x.clone())[0]
        return hardest

    yield Case(attack="apgd-ce", settings={"steps": 25}, call=apgd)


LIBRARIES: tuple[tuple[str, Callable[[], Iterator[Case]]], ...] = (
    ("torchattacks", _torchattacks),
    ("foolbox", _foolbox),
    ("adv-lib", _adv_lib),
    ("autoattack", _autoattack),
)


def main() -> None:
    """Every library that is installed; a missing one keeps the file that it has."""
    FOLDER.mkdir(exist_ok=True)
    module = net()
    weights = {name: tensor.tolist() for name, tensor in module.state_dict().items()}
    for library, cases in LIBRARIES:
        found = [_run(case, module) for case in cases()]
        content = {"library": library, "version": _version(library), "weights": weights, "cases": found}
        (FOLDER / f"peers_{library}.json").write_text(json.dumps(content, indent=1) + "\n")


def _run(case: Case, module: nn.Module) -> dict[str, Any]:
    x = samples(inner=case.inner)
    with torch.no_grad():
        y = module(x).argmax(1)
    z = case.call(module, x.clone(), y.clone()).detach()
    known = {"attack": case.attack, "norm": case.norm, "epsilon": case.epsilon, "settings": case.settings}
    return known | {"x": x.flatten(1).tolist(), "y": y.tolist(), "z": z.flatten(1).tolist()}


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "a392200"  # the reference has no releases: its last commit


if __name__ == "__main__":
    main()
