"""Everything that advorch raises, and the exit code it ends with.

AdvorchError                          1
├── UsageError                        2   a flag or argument makes no sense
├── InvalidPipeline                   3   one or more problems in the file, `-S` or the parameters
├── PluginError                       3
│   ├── DuplicateComponent                two plugins offer one name
│   ├── UnknownComponent                  nobody offers that name
│   └── BrokenPlugin                      a plugin failed to load, and strictness was asked for
├── FormatTooNew                      3   written by a newer advorch
├── StageFailed                       1   a cell ended without outputs; `error_class` says why
├── Stopped                           6   asked to stop; what was committed stays
├── InfrastructureError               8   unreachable, unauthorised, no such resources
│   ├── PluginMismatch                    a worker has other plugins than the driver
│   └── StoreError                        the store cannot do what was asked
│       └── CorruptObject                 bytes differ from their digest
└── Claimed                           9   a live run holds the key
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar


class ErrorClass(StrEnum):
    """Why a stage failed, in the words that `retry: {on: [...]}` takes."""

    OOM = "oom"
    NODE_LOST = "node_lost"
    PREEMPTED = "preempted"
    TIMEOUT = "timeout"
    NAN = "nan"
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a source text something stands; line and column count from one."""

    source: str
    line: int
    column: int
    length: int = 1
    text: str = ""
    first: int = 1  # the column at which `text` begins: of a very long line only a part is shown

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with what the user wrote, and what to do about it."""

    code: str
    message: str
    place: Place | None = None
    hint: str = ""
    warning: bool = False

    def render(self) -> str:
        """Headline, snippet with caret where there is a source, hint."""
        level = "warning" if self.warning else "error"
        where = f" {self.place}" if self.place else ""
        lines = [f"{level}[{self.code}]{where}  {self.message}"]
        if self.place and self.place.text:
            gutter = str(self.place.line)
            caret = " " * (self.place.column - self.place.first) + "^" * max(1, self.place.length)
            lines += [f"  {gutter} | {self.place.text}", f"  {' ' * len(gutter)} | {caret}"]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class AdvorchError(Exception):
    """Base of everything that a user may see as a line instead of a traceback."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), self.args, self.__dict__)

    def render(self) -> str:
        """The text for a terminal: a headline, then the hint."""
        headline = f"error: {self.message}"
        return f"{headline}\n  hint: {self.hint}" if self.hint else headline


def _revive(cls: type[AdvorchError], args: tuple[Any, ...], state: dict[str, Any]) -> AdvorchError:
    """Rebuild an error on the other side of a process border, whatever its constructor takes."""
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class UsageError(AdvorchError):
    """The command line or the Python call cannot mean anything."""

    exit_code = 2


class InvalidPipeline(AdvorchError):
    """Carries every problem found, in the order of the file."""

    exit_code = 3

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} problem{'s' if len(problems) != 1 else ''} in the pipeline")
        self.problems = problems

    def __str__(self) -> str:
        return f"{self.message}\n\n{self.render()}"

    def render(self) -> str:
        return "\n\n".join(problem.render() for problem in self.problems)


class PluginError(AdvorchError):
    """A plugin, or what was asked of the plugins, is at fault."""

    exit_code = 3


class DuplicateComponent(PluginError):
    """Two plugins offer the same name; neither has a privilege."""


class UnknownComponent(PluginError):
    """No installed plugin offers the name."""


class BrokenPlugin(PluginError):
    """A plugin did not load and `ADVORCH_STRICT_PLUGINS` is set."""


class FormatTooNew(AdvorchError):
    """A file was written by a newer advorch than the one that reads it."""

    exit_code = 3


class StageFailed(AdvorchError):
    """A cell ended without outputs."""

    def __init__(self, message: str, *, error_class: ErrorClass, hint: str = "", details: str = "") -> None:
        super().__init__(message, hint=hint)
        self.error_class = error_class
        self.details = details


class Stopped(AdvorchError):
    """The work was asked to stop and did, after committing what it had."""

    exit_code = 6


class InfrastructureError(AdvorchError):
    """Something outside the pipeline is unreachable, refuses us or has too little."""

    exit_code = 8


class PluginMismatch(InfrastructureError):
    """A worker discovered other plugins or versions than the driver."""


class StoreError(InfrastructureError):
    """The store cannot do what was asked of it."""


class CorruptObject(StoreError):
    """The bytes of a stored object do not match its digest."""


class Claimed(AdvorchError):
    """A live run is computing the same key and we were told not to wait."""

    exit_code = 9
