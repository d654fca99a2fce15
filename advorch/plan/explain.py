"""Why a cell has the key it has: what differs from the nearest result in the store."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from advorch.canonical import Json, canonical
from advorch.plan.cells import Settled
from advorch.store.api import Store
from advorch.store.manifest import Manifest

_DIGEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One part of a key that is not as it was; None where one side has no such part."""

    part: str
    before: str | None
    now: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.part}: {self.now} is new"
        if self.now is None:
            return f"{self.part}: {self.before} is gone"
        return f"{self.part}: {self.before} -> {self.now}"


class History:
    """The manifests of a store by component, read once for many questions."""

    def __init__(self, manifests: Iterable[Manifest]) -> None:
        self._by_component: dict[str, list[tuple[Manifest, dict[str, str]]]] = {}
        for manifest in manifests:
            self._by_component.setdefault(manifest.component, []).append((manifest, flat(manifest.parts)))

    def nearest(self, settled: Settled) -> Manifest | None:
        """The result of the same component with most equal parts; of several the newest."""
        now = flat(settled.parts)
        known = self._by_component.get(settled.cell.component.id, ())
        best = max(known, key=lambda entry: _equal(entry[1], now), default=None)
        return best[0] if best else None

    def differences(self, settled: Settled) -> list[Difference]:
        """What differs from the nearest result; nothing where there is none, or where it is this very key."""
        manifest = self.nearest(settled)
        return compare(manifest.parts, settled.parts) if manifest else []


def explain(settled: Settled, store: Store) -> list[Difference]:
    """The parts of a cell's key that differ from the nearest manifest, in the order of the key."""
    return History(store.manifests()).differences(settled)


def compare(before: Mapping[str, Json], now: Mapping[str, Json]) -> list[Difference]:
    """Part by part, by name."""
    old, new = flat(before), flat(now)
    return [
        Difference(part=part, before=_short(old.get(part)), now=_short(new.get(part)))
        for part in dict.fromkeys([*new, *old])
        if old.get(part) != new.get(part)
    ]


def flat(parts: Mapping[str, Json]) -> dict[str, str]:
    """Every leaf under its dotted name, in its canonical spelling, so that 1 and 1.0 stay apart."""
    found: dict[str, str] = {}
    _flatten(parts, "", found)
    return found


def _flatten(value: Json, name: str, found: dict[str, str]) -> None:
    if isinstance(value, Mapping) and value:
        for key in value:
            _flatten(value[key], f"{name}.{key}" if name else key, found)
    elif isinstance(value, list | tuple) and value:
        for index, item in enumerate(value):
            _flatten(item, f"{name}[{index}]", found)
    else:
        found[name] = canonical(value)


def _equal(old: Mapping[str, str], new: Mapping[str, str]) -> int:
    return sum(new.get(part) == value for part, value in old.items())


def _short(text: str | None) -> str | None:
    """Digests to twelve characters, texts without quotes."""
    if text is None or not text.startswith('"'):
        return text
    bare = text[1:-1]
    return bare[:12] if len(bare) == _DIGEST and all(letter in "0123456789abcdef" for letter in bare) else bare
