"""Collects everything that is wrong with a pipeline, so that one pass tells it all.

E301 unknown component          E302 a component where it cannot stand    E303 a matrix that cannot be expanded
E304 an unknown reference       E305 an unknown port                      E306 a required port is missing
E307 one where many, or many    E308 a type that does not fit             E309 a cycle
E310 a parameter                E311 an unknown name in an expression     E312 a value outside `with:`
E313 norm or goal of a threat   E314 access to a model                    E315 epsilon against the data's range
E316 no model                   E317 data that is not there               E318 not available in this version
E319 a metric that was not reported                                       W301 selection on a final split
"""

import re
from collections.abc import Iterable

from advorch.errors import InvalidPipeline, Place, Problem
from advorch.spec.nodes import Mark

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
