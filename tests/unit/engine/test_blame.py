"""Whose error a gang's failure is."""

import pytest

from advorch.engine.ray.blame import blamed
from advorch.errors import ErrorClass, StageFailed, Stopped


class WorkerHealthCheckFailedError(RuntimeError):
    """As Ray Train tells that a rank's process is gone."""


WorkerHealthCheckFailedError.__module__ = "ray.train.v2._internal.exceptions"
GONE = WorkerHealthCheckFailedError("A worker health check failed.")
SILENCE = StageFailed("RuntimeError: [gloo] Connection closed by peer [127.0.0.1]:1", error_class=ErrorClass.USER)
BUG = StageFailed("ValueError: a bug of the user's", error_class=ErrorClass.USER)
NAN = StageFailed("the loss is not a number", error_class=ErrorClass.NAN)
MEMORY = StageFailed("OutOfMemoryError: CUDA out of memory", error_class=ErrorClass.OOM)


def group(*errors: BaseException) -> Exception:
    wrapper = RuntimeError("worker group failed")
    wrapper.worker_failures = dict(enumerate(errors))  # type: ignore[attr-defined]
    return wrapper


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ((SILENCE, GONE), ErrorClass.NODE_LOST),
        ((GONE, SILENCE), ErrorClass.NODE_LOST),
        ((MEMORY, SILENCE), ErrorClass.OOM),
        ((SILENCE, NAN), ErrorClass.NAN),
        ((SILENCE, BUG), ErrorClass.USER),
        ((BUG, GONE), ErrorClass.NODE_LOST),
    ],
)
def test_the_cause_is_told_and_not_its_echo(errors: tuple[Exception, ...], expected: ErrorClass) -> None:
    found = blamed(group(*errors))
    assert isinstance(found, StageFailed)
    assert found.error_class is expected
    assert found is not SILENCE


def test_a_stop_is_a_stop() -> None:
    assert isinstance(blamed(group(Stopped("asked"), SILENCE)), Stopped)


def test_a_peer_that_is_gone_is_a_lost_node_also_if_nobody_else_says_so() -> None:
    """The node of rank 1 died with all that Ray had there: rank 0 is heard first."""
    silence = RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:48866.")
    found = blamed(silence)
    assert isinstance(found, StageFailed)
    assert found.error_class is ErrorClass.NODE_LOST
    assert "a rank of the gang is gone" in found.message
    assert isinstance(blamed(RuntimeError("the peer review timed out")), StageFailed)
    assert blamed(RuntimeError("the peer review timed out")).error_class is ErrorClass.USER  # type: ignore[attr-defined]
