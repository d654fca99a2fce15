"""Warns where a model is selected on the very samples that it is measured on afterwards."""

from collections.abc import Iterator, Sequence

from advorch.artifacts import DataInput
from advorch.components import Shape
from advorch.plan.order import ancestors
from advorch.plan.problems import Problems
from advorch.plan.trials import selecting_works
from advorch.plan.work import Work
from advorch.settings import TrainingSettings

_EPOCH, _WINNER = "its epoch", "its winner"


def warn_of_leaks(works: Sequence[Work], problems: Problems) -> None:
    """One warning a stage that picks its epoch, or its winner, on data that a stage behind it reads."""
    edges = {work.cell.address: work.cell.after | work.cell.optional_after for work in works}
    selected = {work.cell.address: dict(_selects_on(work)) for work in works}
    selected = {address: found for address, found in selected.items() if found}
    for work in works if selected else ():
        if work.cell.component.shape is not Shape.MAP:
            continue
        read = {source.digest for source in work.cell.inputs.get("data", ()) if isinstance(source, DataInput)}
        for before in sorted(ancestors(edges, [work.cell.address]) & selected.keys()):
            for digest in sorted(selected[before].keys() & read):
                _warn(before, selected[before][digest], work, problems)


def _selects_on(work: Work) -> Iterator[tuple[str, str]]:
    """The data that decide, and what they decide."""
    for inner in selecting_works(work):
        port = "data" if inner.cell.component.shape is Shape.MAP else "validation"
        yield from ((source.digest, _WINNER) for source in _data(inner, port))
    for trained in work.sweep.sample.values() if work.sweep else (work,):
        settings = trained.checked.model if trained.checked else None
        if isinstance(settings, TrainingSettings) and (settings.keep == "best" or settings.patience is not None):
            yield from ((source.digest, _EPOCH) for source in _data(trained, "validation"))


def _data(work: Work, port: str) -> Iterator[DataInput]:
    return (source for source in work.cell.inputs.get(port, ()) if isinstance(source, DataInput))


def _warn(selecting: str, what: str, measuring: Work, problems: Problems) -> None:
    message = f"'{selecting}' selects {what} on the samples that '{measuring.cell.stage}' measures it on"
    hint = "validate on a split of its own: what is selected on a split looks better there than it is"
    problems.warn("W301", message, measuring.draft.stage.mark, hint)
