"""The attacks that recipes name, found once and kept ready."""

from collections.abc import Callable

from torch import Tensor, nn

from advorch.canonical import canonical
from advorch.components import AnyComponent, Attack
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.inner import InnerAttack
from advorch.kit.attack.traceless import Mode
from advorch.kit.attack.victim import Finish
from advorch.kit.training.step import Inner
from advorch.params import AttackRef
from advorch.threat import Box


class NamedAttacks:
    """Any attack component on samples of one box; training takes the last point, validation the first that fools."""

    def __init__(self, lookup: Callable[[str], AnyComponent], box: Box | None) -> None:
        self._lookup = lookup
        self._box = box
        self._ready: dict[tuple[str, Mode, Finish], Inner] = {}

    def __call__(self, ref: AttackRef, mode: Mode, finish: Finish = Finish.LAST) -> Inner:
        """The attack that a reference names, its parameters checked."""
        name = canonical(ref.plain()), mode, finish
        if name not in self._ready:
            self._ready[name] = self._make(ref, mode, finish)
        return self._ready[name]

    def _make(self, ref: AttackRef, mode: Mode, finish: Finish) -> Inner:
        component = self._lookup(ref.id)
        if not isinstance(component, Attack):
            raise StageFailed(f"'{ref.id}' is no attack", error_class=ErrorClass.USER)
        params = component.nested_schema().parse(ref.with_)
        attack = InnerAttack(component, params, box=self._box, mode=mode, finish=finish)

        def inner(module: nn.Module, x: Tensor, y: Tensor, rng: Draws, epsilon: float | Tensor | None, /) -> Tensor:
            return attack.at(module, x, y, rng, attack.params.epsilon if epsilon is None else epsilon)

        return inner
