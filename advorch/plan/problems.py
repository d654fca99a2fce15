"""Collects everything that is wrong with a pipeline, so that one pass tells it all."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from advorch.errors import InvalidPipeline, Place, Problem
from advorch.spec.nodes import Mark

MEANING: Mapping[str, str] = MappingProxyType(
    {
        "E301": "a component that nobody offers",
        "E302": "a component where it cannot stand",
        "E303": "a matrix that cannot be expanded",
        "E304": "a reference to something that is not there",
        "E305": "a port that the component does not have",
        "E306": "a port that must be connected and is not",
        "E307": "several things for a port that takes one",
        "E308": "an artifact of a type that the port does not take",
        "E309": "stages that wait for each other",
        "E310": "a parameter that its component refuses",
        "E311": "an expression reads a name or a metric that is not there",
        "E312": "a condition, seed or limit of the wrong type or size",
        "E313": "a norm or a goal that the attack does not support",
        "E314": "a model that does not grant what the attack needs to see",
        "E315": "an epsilon that makes no sense for the range of the data",
        "E316": "nothing says which model to train",
        "E317": "data that is not where it should be",
        "E319": "a search that could never find anything",
        "E320": "a pinned trial of another search",
        "W301": "a choice is made on the split that the final evaluation reads",
        "W302": "an attack whose steps together are shorter than its epsilon",
        "W303": "a dimension of a search that nothing reads",
        "W304": "a pinned trial of a sweep that is not there",
    }
)

_COMPONENT = re.compile(r"[a-z]+/[A-Za-z0-9_.-]+")


class Problems:
    """Keeps each problem once: a matrix meets the same mistake in every cell, whatever the cells use."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, Place | None], Problem] = {}

    def add(self, code: str, message: str, mark: Mark | None, hint: str = "") -> None:
        """An error, at a mark."""
        self.take(Problem(code=code, message=message, place=mark.place() if mark else None, hint=hint))

    def warn(self, code: str, message: str, mark: Mark | None, hint: str = "") -> None:
        """Something that runs, and is probably not meant."""
        place = mark.place() if mark else None
        self.take(Problem(code=code, message=message, place=place, hint=hint, warning=True))

    def take(self, problem: Problem) -> None:
        """A problem that somebody else has put into words."""
        self._found.setdefault((problem.code, _COMPONENT.sub("", problem.message), problem.place), problem)

    def extend(self, problems: Iterable[Problem]) -> None:
        """Several of them."""
        for problem in problems:
            self.take(problem)

    def warnings(self) -> tuple[Problem, ...]:
        """What does not stop a run."""
        return tuple(problem for problem in self._sorted() if problem.warning)

    def errors(self) -> list[Problem]:
        """What does."""
        return [problem for problem in self._sorted() if not problem.warning]

    def check(self) -> None:
        """Raise everything found so far, if anything is an error."""
        if self.errors():
            raise InvalidPipeline(self.errors())

    def _sorted(self) -> list[Problem]:
        return sorted(self._found.values(), key=_position)


def _position(problem: Problem) -> tuple[str, int, int]:
    place = problem.place
    return (place.source, place.line, place.column) if place else ("", 0, 0)
