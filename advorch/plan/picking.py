"""Finds the cells that a reference means, and says what is wrong with one that means none."""

from collections.abc import Mapping, Sequence

from advorch.plan.drafts import Expanded
from advorch.plan.problems import Problems
from advorch.plan.references import Reference, parse_reference, same_label
from advorch.plan.work import Draft
from advorch.spec.nodes import Mark
from advorch.spec.suggest import hint, listing


def pick(reference: Reference, expanded: Expanded, mark: Mark, problems: Problems) -> Sequence[Draft]:
    """The cells of a stage that are meant; none after a problem, or where the stage itself is in trouble."""
    if not expanded.labels:
        return ()
    found = [name for name, labels in expanded.labels.items() if reference.matches(labels)]
    if not found:
        message, help_ = _why_none(reference, expanded.labels)
        problems.add("E304", message, mark, help_)
    return [expanded.drafts[name] for name in found if name in expanded.drafts]


def _why_none(reference: Reference, cells: Mapping[str, Mapping[str, str]]) -> tuple[str, str]:
    axes = list(next(iter(cells.values())))
    if not axes:
        return f"'{reference.name}' has no matrix, so there is no '{reference.text}'", f"write {reference.name}"
    port = f".{reference.port}" if reference.port else ""
    if not reference.bracketed:
        message = f"'{reference.name}' stands for {len(cells)} cells"
        return message, f"write {reference.name}[*]{port} for all, or name one: {listing(cells)}"
    for axis, value in reference.selectors.items():
        if axis not in axes:
            return f"'{axis}' is no axis of '{reference.name}'", hint(axis, axes)
        labels = list(dict.fromkeys(cell[axis] for cell in cells.values()))
        if not any(same_label(label, value) for label in labels):
            return f"the axis '{axis}' of '{reference.name}' has no '{value}'", hint(value, labels)
    if not reference.glob and set(reference.selectors) != set(axes):
        left = listing(axis for axis in axes if axis not in reference.selectors)
        return (
            f"'{reference.text}' leaves the axis {left} open",
            f"name it too, or add `*`: {reference.name}[...,*]{port}",
        )
    return f"there is no cell '{reference.text}': it is excluded", f"cells: {listing(cells)}"


def parse_or_report(text: object, mark: Mark, problems: Problems) -> Reference | None:
    """A reference, or a problem that shows how one is written."""
    reference = parse_reference(text) if isinstance(text, str) else None
    if reference is None:
        message = f"'{text}' is no reference"
        problems.add("E304", message, mark, "write stage.port, stage[axis=value].port, stage[*].port or data.split")
    return reference
