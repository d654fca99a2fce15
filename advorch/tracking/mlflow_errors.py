"""MLflow's errors in two kinds: try again later, or never."""

from collections.abc import Iterator
from contextlib import contextmanager

from advorch.tracking.recorder import Refused, Unreachable

_FINAL = frozenset(
    {
        "INVALID_PARAMETER_VALUE",
        "RESOURCE_DOES_NOT_EXIST",
        "RESOURCE_ALREADY_EXISTS",
        "INVALID_STATE",
        "BAD_REQUEST",
    }
)


@contextmanager
def speaking() -> Iterator[None]:
    """MLflow's errors in two kinds: try again later, or never."""
    from mlflow import MlflowException

    try:
        yield
    except MlflowException as error:
        kind = Refused if error.error_code in _FINAL else Unreachable
        raise kind(_first_line(error.message)) from error
    except OSError as error:  # among them every error of requests
        raise Unreachable(_first_line(str(error))) from error


@contextmanager
def meeting() -> Iterator[None]:
    """While meeting, a refusal means a wrong address or a wrong server: nothing is left out for it."""
    try:
        with speaking():
            yield
    except Refused as error:
        raise Unreachable(str(error)) from error


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[0][:300]
