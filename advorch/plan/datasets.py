"""What `data:` declares: datasets with checked parameters, and the splits that stages may read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from advorch.artifacts import DataInput
from advorch.components import Dataset
from advorch.plan.content_check import ContentCheck
from advorch.plan.keys import data_digest
from advorch.plan.named import find_component
from advorch.plan.parameters import Checked, ParameterCheck
from advorch.plan.problems import Problems
from advorch.plan.scope import Scope, read
from advorch.plan.work import Blame
from advorch.registry.registry import Registry
from advorch.spec.nodes import Located, Mark, Scalar
from advorch.spec.pipeline import DataSpec
from advorch.spec.suggest import hint

_SPLIT = re.compile(r"(?P<base>[A-Za-z0-9_-]+)\s*(\[\s*(-?\d+)?\s*:\s*(-?\d+)?\s*\])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataEntry:
    """One entry whose parameters are valid; `splits` maps the names that stages use to expressions."""

    name: str
    checked: Checked
    splits: Mapping[str, str]
    blame: Blame


class DataCatalog:
    """All entries by name; None for one that is declared and wrong, so that its readers are not blamed for it."""

    def __init__(self, entries: Mapping[str, DataEntry | None], contents: ContentCheck) -> None:
        self._entries = entries
        self._contents = contents
        self._inputs: dict[tuple[str, str], DataInput | None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def names(self) -> list[str]:
        """Every declared name."""
        return list(self._entries)

    def split(self, name: str, split: str, mark: Mark, problems: Problems) -> DataInput | None:
        """One split as an input; None after a problem."""
        entry = self._entries[name]
        if entry is None:
            return None
        if split not in entry.splits:
            message = f"the data '{name}' has no split '{split}'" if split else f"'{name}' lacks its split"
            problems.add("E304", message, mark, hint(split, entry.splits) if split else _example(entry))
            return None
        if (name, split) not in self._inputs:
            self._inputs[name, split] = self._input(entry, entry.splits[split])
        return self._inputs[name, split]

    def _input(self, entry: DataEntry, expression: str) -> DataInput | None:
        contents = self._contents.read(entry.checked, entry.blame)
        if contents is None:
            return None
        value = data_digest(entry.checked, expression, self._contents.sources, contents)
        name = entry.checked.component.name
        return DataInput(uses=name, params=entry.checked.plain, split=expression, digest=value)


def read_entry(
    spec: DataSpec, scope: Scope, registry: Registry, checks: ParameterCheck, problems: Problems
) -> DataEntry | None:
    """Check one entry; None after a problem."""
    component = find_component(spec.uses, scope, registry, problems, family=Dataset.family)
    values = read(spec.with_, scope, problems) if spec.with_ else Located({})
    if not isinstance(component, Dataset) or values is None or not isinstance(values.value, Mapping):
        return None
    blame = Blame(values, spec.with_.mark if spec.with_ else spec.mark, problems)
    checked = checks.check(component, values.value, blame)
    splits = _splits(spec, component, scope, problems)
    if checked is None or splits is None:
        return None
    return DataEntry(name=spec.name, checked=checked, splits=splits, blame=blame)


def _splits(spec: DataSpec, component: Dataset[Any], scope: Scope, problems: Problems) -> dict[str, str] | None:
    """The declared splits as expressions; without any, those that the dataset has."""
    if not spec.splits:
        return {name: name for name in component.splits}
    found = {name: _split(node, component, scope, problems) for name, node in spec.splits.items()}
    return {name: text for name, text in found.items() if text is not None} if all(found.values()) else None


def _split(node: Scalar, component: Dataset[Any], scope: Scope, problems: Problems) -> str | None:
    filled = read(node, scope, problems)
    if filled is None:
        return None
    match = _SPLIT.fullmatch(str(filled.value))
    if match is None:
        problems.add(
            "E304", f"'{filled.value}' is no split", node.mark, "write `train`, or a part of it: `train[:1000]`"
        )
        return None
    if match["base"] not in component.splits:
        message = f"{component.id} has no split '{match['base']}'"
        problems.add("E304", message, node.mark, hint(match["base"], component.splits))
        return None
    return re.sub(r"\s", "", str(filled.value))


def _example(entry: DataEntry) -> str:
    return f"write {entry.name}.{next(iter(entry.splits), 'SPLIT')}"
