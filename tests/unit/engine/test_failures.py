"""What an exception amounts to, and that it survives the trip."""

import pickle

import pytest
import ray.exceptions
import torch

from advorch.engine.failures import classify
from advorch.errors import (
    AdvorchError,
    CorruptObject,
    ErrorClass,
    InvalidPipeline,
    Problem,
    StageFailed,
    Stopped,
    UnknownComponent,
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("no"), ErrorClass.USER),
        (MemoryError(), ErrorClass.OOM),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), ErrorClass.OOM),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: out of memory"), ErrorClass.OOM),
        (ray.exceptions.OutOfMemoryError("killed"), ErrorClass.OOM),
        (ray.exceptions.WorkerCrashedError(), ErrorClass.NODE_LOST),
        (ray.exceptions.ActorDiedError(), ErrorClass.NODE_LOST),
        (UnknownComponent("no attack is called 'x'", hint="h"), ErrorClass.USER),
    ],
)
def test_every_exception_has_a_class(error: Exception, expected: ErrorClass) -> None:
    failure = classify(error)
    assert isinstance(failure, StageFailed)
    assert failure.error_class is expected


@pytest.mark.parametrize(
    "error",
    [
        StageFailed("nan", error_class=ErrorClass.NAN, hint="lower lr", details="trace"),
        Stopped("asked"),
        CorruptObject("bytes differ"),
        InvalidPipeline([Problem(code="E001", message="no")]),
    ],
)
def test_our_own_errors_pass_through_and_pickle_whole(error: AdvorchError) -> None:
    assert classify(error) is error
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert copy.__dict__ == error.__dict__
    assert copy.render() == error.render()


def test_the_traceback_travels_as_text() -> None:
    try:
        raise KeyError("weights")
    except KeyError as error:
        failure = classify(error)
    assert isinstance(failure, StageFailed)
    assert "test_failures.py" in failure.details
    assert failure.message == "KeyError: 'weights'"
