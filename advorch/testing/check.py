"""What a check is, and the two ways in which it does not pass."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class ContractBroken(AssertionError):
    """The component does not keep what its family promises; the message is one line that says what and where."""


class NotApplicable(Exception):
    """The check does not concern this component, and why."""


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    BROKEN = "broken"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, as a sentence, and the function that raises `ContractBroken` where it is not kept."""

    name: str
    run: Callable[[], None]

    def result(self) -> "Result":
        """Run it; whatever else comes out of foreign code is a broken promise too."""
        try:
            self.run()
        except NotApplicable as reason:
            return Result(self.name, Verdict.SKIPPED, str(reason))
        except ContractBroken as broken:
            return Result(self.name, Verdict.BROKEN, str(broken))
        except Exception as error:  # noqa: BLE001
            return Result(self.name, Verdict.BROKEN, _where(error))
        return Result(self.name, Verdict.OK)


@dataclass(frozen=True, slots=True)
class Result:
    """A check's verdict, with one line of reason."""

    check: str
    verdict: Verdict
    reason: str = ""


def demand(condition: object, message: str) -> None:
    """Break the contract with this message unless the condition holds."""
    if not condition:
        raise ContractBroken(message)


def _where(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text} ({frame.filename}:{frame.lineno})"
