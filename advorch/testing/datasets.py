"""What a dataset promises: samples in their box, labels in range, ids of their own, the same every time."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from advorch.components import AnyComponent, Dataset
from advorch.kit.box import ends_of
from advorch.kit.data import Data
from advorch.params import Params
from advorch.testing.check import Check, NotApplicable, demand
from advorch.testing.common import usable_params

Test = Callable[[Dataset[Any], Params], None]


def checks(component: AnyComponent) -> list[Check]:
    """The promises of a dataset whose files, if it needs any, are there."""
    assert isinstance(component, Dataset)
    tests: list[Test] = [has_a_row_for_every_id, keeps_to_its_box, has_labels_in_range, loads_the_same_twice]
    return [Check(test.__name__.replace("_", " "), partial(_with_files, test, component)) for test in tests]


def _with_files(test: Test, component: Dataset[Any]) -> None:
    params = usable_params(component)
    missing = [str(path) for path in component.files(params) if not path.exists()]
    if missing:
        raise NotApplicable(f"needs files that are not here: {', '.join(missing[:3])}")
    test(component, params)


def _load(component: Dataset[Any], params: Params, split: str) -> Data:
    data = component.load()(params, split)
    demand(isinstance(data, Data), f"split {split!r} is {type(data).__name__}, not advorch.kit.data.Data")
    return data


def has_a_row_for_every_id(component: Dataset[Any], params: Params) -> None:
    for split in component.splits:
        data = _load(component, params, split)
        demand(len(data) > 0, f"split {split!r} is empty")
        lengths = {len(data.x), len(data.y), len(data.ids)}
        demand(len(lengths) == 1, f"split {split!r}: x, y and ids are of lengths {sorted(lengths)}")
        demand(data.ids.dtype == torch.int64, f"split {split!r}: ids are {data.ids.dtype}, not int64")
        demand(len(set(data.ids.tolist())) == len(data), f"split {split!r}: ids repeat")
        demand(data.x.dim() >= 2, f"split {split!r}: samples must have a shape of their own")


def keeps_to_its_box(component: Dataset[Any], params: Params) -> None:
    for split in component.splits:
        data = _load(component, params, split)
        demand(data.x.is_floating_point(), f"split {split!r}: x is {data.x.dtype}, not floating point")
        demand(torch.isfinite(data.x).all(), f"split {split!r}: not every value is finite")
        demand(data.box == component.box, f"split {split!r}: box {data.box}, declared {component.box}")
        if data.box:
            low, high = ends_of(data.box, tuple(data.x.shape[1:]), data.x)
            inside = bool((data.x >= low).all() and (data.x <= high).all())
            demand(
                inside, f"split {split!r}: values from {float(data.x.min())} to {float(data.x.max())}, box {data.box}"
            )


def has_labels_in_range(component: Dataset[Any], params: Params) -> None:
    names = set()
    for split in component.splits:
        data = _load(component, params, split)
        names.add(data.classes)
        demand(data.y.dtype == torch.int64, f"split {split!r}: y is {data.y.dtype}, not int64")
        inside = bool((data.y >= 0).all() and (data.y < len(data.classes)).all())
        demand(inside, f"split {split!r}: labels from {int(data.y.min())} to {int(data.y.max())}")
        demand(len(set(data.classes)) == len(data.classes), f"split {split!r}: class names repeat")
    demand(len(names) == 1, "the splits name different classes")


def loads_the_same_twice(component: Dataset[Any], params: Params) -> None:
    for split in component.splits:
        torch.manual_seed(1)
        first = _load(component, params, split)
        torch.manual_seed(2)
        second = _load(component, params, split)
        same = all(torch.equal(getattr(first, name), getattr(second, name)) for name in ("x", "y", "ids"))
        demand(same, f"split {split!r} is not the same when it is loaded again")
