"""Any exception as the stage failure it amounts to, in the classes that `retry:` speaks of."""

import traceback

from advorch.errors import AdvorchError, ErrorClass, InfrastructureError, InvalidPipeline, StageFailed, Stopped

_OUT_OF_MEMORY = {"torch.OutOfMemoryError", "torch.cuda.OutOfMemoryError", "ray.exceptions.OutOfMemoryError"}
_NODE_LOST = {
    "ray.exceptions.ActorDiedError",
    "ray.exceptions.ActorUnavailableError",
    "ray.exceptions.RayActorError",
    "ray.exceptions.WorkerCrashedError",
    "ray.exceptions.NodeDiedError",
    "ray.exceptions.ObjectLostError",
    "ray.exceptions.OwnerDiedError",
    "ray.train.v2._internal.exceptions.WorkerHealthCheckFailedError",
    "ray.train.v2._internal.exceptions.WorkerHealthCheckTimeoutError",
}


def classify(error: BaseException) -> AdvorchError:
    """A StageFailed with its class; errors that are not the stage's own pass through."""
    if isinstance(error, (StageFailed, Stopped, InfrastructureError, InvalidPipeline)):
        return error
    if isinstance(error, AdvorchError):
        return StageFailed(error.message, error_class=ErrorClass.USER, hint=error.hint)
    return _failure(error)


def _failure(error: BaseException) -> StageFailed:
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    if isinstance(error, MemoryError) or names & _OUT_OF_MEMORY or "out of memory" in str(error).lower():
        return _failed(error, ErrorClass.OOM, "make the batch or chunk smaller, or ask for more memory")
    if getattr(error, "preempted", False):
        return _failed(error, ErrorClass.PREEMPTED, "")
    if names & _NODE_LOST:
        return _failed(error, ErrorClass.NODE_LOST, "the worker's process or node died")
    return _failed(error, ErrorClass.USER, "")


def _failed(error: BaseException, error_class: ErrorClass, hint: str) -> StageFailed:
    first_line = (str(error).strip() or "no message").splitlines()[0]
    details = "".join(traceback.format_exception(error))
    return StageFailed(f"{type(error).__name__}: {first_line}", error_class=error_class, hint=hint, details=details)
