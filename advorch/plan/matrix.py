"""A matrix as the cells that it stands for, each with a value and a label on every axis."""

import itertools
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from advorch.canonical import Json
from advorch.plan.problems import Problems
from advorch.plan.references import parse_reference, same_label
from advorch.plan.scope import Scope, read
from advorch.spec.nodes import ListNode, MapNode, Mark, Node, Scalar
from advorch.spec.pipeline import MatrixSpec, StageSpec
from advorch.spec.scalars import shown
from advorch.spec.suggest import hint

LARGEST = 10_000

_SAFE = re.compile(r"[A-Za-z0-9_.+:/-]+")


@dataclass(frozen=True, slots=True)
class Point:
    """One value of an axis, and the label that addresses it."""

    label: str
    value: Json


Combination = Mapping[str, Point]


def expand(stage: StageSpec, scope: Scope, names: Callable[[str], bool], problems: Problems) -> list[Combination]:
    """All cells of a stage, first axis slowest; one without axes where there is no matrix.

    `names` tells whether a text names a stage or a data entry: then the axis holds references.
    """
    if stage.matrix is None:
        return [{}]
    axes = {axis: _points(axis, node, scope, names, problems) for axis, node in stage.matrix.axes.items()}
    if not all(axes.values()) or not axes:
        if not axes:
            problems.add("E303", f"the matrix of '{stage.name}' has no axis", stage.mark)
        return []
    size = math.prod(len(points or ()) for points in axes.values())
    if size > LARGEST:
        message = f"the matrix of '{stage.name}' has {size:,} cells: the most is {LARGEST:,}"
        problems.add("E303", message, stage.mark, "shorten an axis, or search with a sweep")
        return []
    return _kept(stage, stage.matrix, {axis: points or [] for axis, points in axes.items()}, scope, problems)


def _kept(
    stage: StageSpec, matrix: MatrixSpec, axes: Mapping[str, list[Point]], scope: Scope, problems: Problems
) -> list[Combination]:
    rules = [rule for node in matrix.exclude if (rule := _rule(node, axes, scope, problems)) is not None]
    cells: list[Combination] = [dict(zip(axes, points, strict=True)) for points in itertools.product(*axes.values())]
    kept = [cell for cell in cells if not any(_excluded(cell, rule) for rule in rules)]
    if not kept:
        message = f"the matrix of '{stage.name}' is empty: every cell is excluded"
        problems.add("E303", message, matrix.exclude[0].mark, "drop an entry of `exclude`")
    return kept


def _points(
    axis: str, node: ListNode | Scalar, scope: Scope, names: Callable[[str], bool], problems: Problems
) -> list[Point] | None:
    """The values of an axis; None after a problem."""
    values = _values(axis, node, scope, problems)
    if values is None:
        return None
    if not values:
        problems.add("E303", f"the axis '{axis}' is empty, so there are no cells", node.mark)
        return None
    spelled = [json.dumps(value, sort_keys=True) for value in values]
    twice = next((index for index, text in enumerate(spelled) if text in spelled[:index]), None)
    if twice is not None:
        problems.add("E303", f"the axis '{axis}' has {spelled[twice]} twice", _item_mark(node, twice))
        return None
    labels = _labels(values, names)
    return [Point(label, value) for label, value in zip(labels, values, strict=True)]


def _values(axis: str, node: ListNode | Scalar, scope: Scope, problems: Problems) -> Sequence[Json] | None:
    filled = read(node, scope, problems)
    if filled and not isinstance(filled.value, list | tuple):
        problems.add("E303", f"the axis '{axis}' takes a list, not {shown(filled.value)}", node.mark)
        return None
    return cast("Sequence[Json]", filled.value) if filled else None


def _item_mark(node: ListNode | Scalar, index: int) -> Mark:
    return node.items[index].mark if isinstance(node, ListNode) and index < len(node.items) else node.mark


def _labels(values: Sequence[Json], names: Callable[[str], bool]) -> list[str]:
    """The shortest labels that tell the values of one axis apart."""
    for labels in (
        [_short(value, names) or _plain(value) or f"#{index}" for index, value in enumerate(values)],
        [_plain(value) or f"#{index}" for index, value in enumerate(values)],
    ):
        if len(set(labels)) == len(labels):
            return labels
    return [f"#{index}" for index in range(len(values))]


def _short(value: Json, names: Callable[[str], bool]) -> str:
    """A reference goes by the name of its stage."""
    reference = parse_reference(value) if isinstance(value, str) else None
    return reference.name if reference and reference.port and names(reference.name) else ""


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _plain(value: Json) -> str:
    """A scalar goes by itself, where that can stand in an address."""
    text = _text(value)
    return text if _SAFE.fullmatch(text) else ""


def _rule(
    node: MapNode, axes: Mapping[str, list[Point]], scope: Scope, problems: Problems
) -> dict[str, list[str]] | None:
    """One entry of `exclude` as the labels that it names on each axis."""
    rule: dict[str, list[str]] = {}
    for axis, entry in node.entries.items():
        if axis not in axes:
            problems.add("E303", f"'{axis}' is no axis of this matrix", entry.key, hint(axis, list(axes)))
            return None
        rule[axis] = list(_excluded_labels(axis, entry.node, axes[axis], scope, problems))
    return rule


def _excluded_labels(axis: str, node: Node, points: Sequence[Point], scope: Scope, problems: Problems) -> Iterator[str]:
    filled = read(node, scope, problems)
    value = cast(Json, filled.value) if filled else []
    for item in value if isinstance(value, list | tuple) else [value]:
        hits = [point.label for point in points if point.value == item or same_label(point.label, _text(item))]
        if not hits:
            message = f"the axis '{axis}' has no {json.dumps(item)} to exclude"
            problems.add("E303", message, node.mark, hint(str(item), [point.label for point in points]))
        yield from hits


def _excluded(cell: Combination, rule: Mapping[str, list[str]]) -> bool:
    return all(cell[axis].label in labels for axis, labels in rule.items())
