"""Warns where a model is selected on the very samples that it is measured on afterwards."""

from collections.abc import Iterator, Sequence

from advorch.artifacts import DataInput
from advorch.components import Shape
from advorch.plan.order import ancestors
from advorch.plan.problems import Problems
from advorch.plan.work import Work
from advorch.settings import TrainingSettings


def warn_of_leaks(works: Sequence[Work], problems: Problems) -> None:
    """One warning a training stage that picks its epoch on data that a stage behind it reads."""
    edges = {work.cell.address: work.cell.after | work.cell.optional_after for work in works}
    selected = {work.cell.address: digest for work in works for digest in _selects_on(work)}
    for work in works if selected else ():
        if work.cell.component.shape is not Shape.MAP:
            continue
        read = {source.digest for source in work.cell.inputs.get("data", ()) if isinstance(source, DataInput)}
        for before in sorted(ancestors(edges, [work.cell.address]) & selected.keys()):
            if selected[before] in read:
                _warn(before, work, problems)


def _selects_on(work: Work) -> Iterator[str]:
    settings = work.checked.model if work.checked else None
    if isinstance(settings, TrainingSettings) and (settings.keep == "best" or settings.patience is not None):
        for source in work.cell.inputs.get("validation", ()):
            if isinstance(source, DataInput):
                yield source.digest


def _warn(selecting: str, measuring: Work, problems: Problems) -> None:
    message = f"'{selecting}' selects its epoch on the samples that '{measuring.cell.stage}' measures it on"
    hint = "validate on a split of its own: what is selected on a split looks better there than it is"
    problems.warn("W301", message, measuring.draft.stage.mark, hint)
