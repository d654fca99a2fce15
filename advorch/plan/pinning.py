"""Whether a trial that a person chose is still one of the search that the file describes."""

from collections.abc import Mapping

from advorch.errors import InvalidPipeline
from advorch.plan.problems import Problems
from advorch.plan.work import Work
from advorch.spec.nodes import Mark
from advorch.spec.pins import Pin, lock_file
from advorch.spec.pipeline import PipelineSpec


def pinned(pin: Pin | None, search: str, mark: Mark) -> int | None:
    """The number of the chosen trial; one of another search is an error, for its values would mean something else."""
    if pin is None:
        return None
    if pin.search != search:
        problems = Problems()
        message = f"trial {pin.trial} is pinned for '{pin.stage}', but it is of another search than this one"
        hint = "what the trials compute has changed: advorch sweep promote FILE STAGE with --trial N, or with --clear"
        problems.add("E320", message, mark, hint)
        raise InvalidPipeline(problems.errors())
    return pin.trial


def warn_of_lost_pins(spec: PipelineSpec, works: Mapping[str, Work], problems: Problems) -> None:
    """A pin whose sweep was renamed or removed does nothing."""
    for pin in spec.pins.values():
        work = works.get(pin.stage)
        if work is None or work.sweep is None:
            message = f"{lock_file(spec.path).name} pins trial {pin.trial} of '{pin.stage}', which is no sweep here"
            problems.warn("W304", message, None, "remove it from that file")
