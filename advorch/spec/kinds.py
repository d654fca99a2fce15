"""The kinds of single values that a file holds: each reads a value, and describes itself to editors."""

import math
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from advorch.spec.codes import Code
from advorch.spec.operators import rational
from advorch.spec.scalars import shown
from advorch.spec.suggest import hint as suggestion
from advorch.spec.units import DURATION_PATTERN, SIZE_PATTERN, seconds, size

OPEN_PATTERN = r"\$\{"
RATIONAL_PATTERN = r"^\s*[-+]?\d+(\.\d+)?\s*/\s*\d+(\.\d+)?\s*$"


class Settled(Enum):
    """When a `${...}` in a value is answered."""

    NEVER = auto()  # the value shapes the file itself
    LOADING = auto()  # from params and env alone
    LATER = auto()  # by the plan, or by a trial


class BadValue(Exception):
    """A value that its kind refuses."""

    def __init__(self, code: Code, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class ValueKind(Protocol):
    """What a single value may be."""

    @property
    def settled(self) -> Settled: ...

    def read(self, value: object) -> Any:
        """The value in the type that the program uses; raises BadValue."""

    def schema(self) -> dict[str, Any]:
        """The same for an editor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Text, perhaps of a certain form."""

    what: str = "text"
    pattern: re.Pattern[str] | None = None
    hint: str = ""
    code: Code = Code.VALUE
    settled: Settled = Settled.LOADING

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            quote = "" if isinstance(value, dict | list) else "quote it"
            raise BadValue(Code.TYPE, f"takes {self.what}, not {shown(value)}", self.hint or quote)
        if self.pattern is not None and not self.pattern.fullmatch(value):
            raise BadValue(self.code, f"takes {self.what}, not {shown(value)}", self.hint)
        return value

    def schema(self) -> dict[str, Any]:
        if self.pattern is None:
            return {"type": "string"}
        return {"type": "string", "pattern": f"^(?:{self.pattern.pattern})$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A finite number, whole if asked; `8/255` is one."""

    whole: bool = False
    least: float | None = None
    above: float | None = None
    most: float | None = None
    settled: Settled = Settled.LOADING

    def read(self, value: object) -> float:
        what = "a whole number" if self.whole else "a number"
        ratio = rational(value) if isinstance(value, str) and not self.whole else None
        value = value if ratio is None else ratio
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadValue(Code.TYPE, f"takes {what}, not {shown(value)}")
        if not math.isfinite(value) or (self.whole and value != int(value)):
            raise BadValue(Code.TYPE, f"takes {what}, not {shown(value)}")
        self._bounds(value)
        return int(value) if self.whole else value

    def _bounds(self, value: float) -> None:
        if self.least is not None and value < self.least:
            raise BadValue(Code.VALUE, f"must be at least {self.least:g}, not {shown(value)}")
        if self.above is not None and value <= self.above:
            raise BadValue(Code.VALUE, f"must be greater than {self.above:g}, not {shown(value)}")
        if self.most is not None and value > self.most:
            raise BadValue(Code.VALUE, f"must be at most {self.most:g}, not {shown(value)}")

    def schema(self) -> dict[str, Any]:
        bounds = {"minimum": self.least, "exclusiveMinimum": self.above, "maximum": self.most}
        number: dict[str, Any] = {"type": "integer" if self.whole else "number"}
        number |= {key: bound for key, bound in bounds.items() if bound is not None}
        return number if self.whole else {"anyOf": [number, {"type": "string", "pattern": RATIONAL_PATTERN}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """true or false."""

    settled: Settled = Settled.LOADING

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            hint = "yes, no, on and off are texts; write true or false"
            raise BadValue(Code.TYPE, f"takes true or false, not {shown(value)}", hint)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]
    settled: Settled = Settled.LOADING

    def read(self, value: object) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise BadValue(Code.VALUE, f"cannot be {shown(value)}", suggestion(str(value), self.words))
        return value

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """A time with its unit, in seconds."""

    settled: Settled = Settled.LOADING

    def read(self, value: object) -> float:
        if value == 0 and not isinstance(value, bool):
            return 0.0
        found = seconds(value) if isinstance(value, str) else None
        if found is None:
            hint = (
                f"write {shown(value)}s for seconds" if isinstance(value, int) else "units: ms s m h d w, as in 1h30m"
            )
            raise BadValue(Code.UNIT, f"takes a duration such as 30s or 4h, not {shown(value)}", hint)
        return found

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"const": 0}, {"type": "string", "pattern": DURATION_PATTERN}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """An amount of memory with its unit, in bytes."""

    settled: Settled = Settled.LOADING

    def read(self, value: object) -> int:
        if value == 0 and not isinstance(value, bool):
            return 0
        found = size(value) if isinstance(value, str) else None
        if found is None:
            hint = "units: B kB MB GB TB KiB MiB GiB TiB"
            raise BadValue(Code.UNIT, f"takes a size such as 4GiB or 512MB, not {shown(value)}", hint)
        return found

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"const": 0}, {"type": "string", "pattern": SIZE_PATTERN}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """The version of the file format."""

    known: int = 1
    settled: Settled = Settled.NEVER

    def read(self, value: object) -> int:
        if value == self.known and isinstance(value, int) and not isinstance(value, bool):
            return self.known
        newer = isinstance(value, int) and value > self.known
        hint = "upgrade advorch, or ask who wrote the file" if newer else f"write version: {self.known}"
        raise BadValue(Code.VERSION, f"is {shown(value)}; this advorch reads version {self.known}", hint)

    def schema(self) -> dict[str, Any]:
        return {"const": self.known}


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """An expression without `${}`, or in one."""

    settled: Settled = Settled.LATER

    def read(self, value: object) -> str:
        if isinstance(value, str):
            return value
        raise BadValue(Code.TYPE, f"takes a condition, not {shown(value)}", "for example: a.metric >= params.floor")

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """true, false, or one `${...}`."""

    settled: Settled = Settled.LATER

    def read(self, value: object) -> bool:
        if isinstance(value, bool):
            return value
        hint = f"write ${{{value}}}" if isinstance(value, str) and len(value) <= 80 else ""
        raise BadValue(Code.TYPE, f"takes a condition in ${{...}}, not {shown(value)}", hint)

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """Nothing but one `${...}`, where otherwise a list or a map would stand."""

    what: str
    settled: Settled = Settled.LATER

    def read(self, value: object) -> object:
        raise BadValue(Code.TYPE, f"takes {self.what}, not {shown(value)}")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": OPEN_PATTERN}
