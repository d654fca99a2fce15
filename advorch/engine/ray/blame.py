"""Which of a gang's errors tells what happened: when one rank fails, the others fail of its silence."""

import re
from collections.abc import Iterator

from advorch.engine.failures import classify
from advorch.errors import AdvorchError, ErrorClass, StageFailed, Stopped

# A stop is agreed by all ranks; a lost process explains whatever its peers complain of.
ORDER = (
    ErrorClass.NODE_LOST,
    ErrorClass.PREEMPTED,
    ErrorClass.OOM,
    ErrorClass.NAN,
    ErrorClass.TIMEOUT,
    ErrorClass.USER,
)
SILENCE = re.compile(
    r"connection (closed|reset|refused)|broken pipe|socket|gloo|nccl|peer|timed out|rendezvous|process group",
    re.IGNORECASE,
)

LOST_PEER = re.compile(r"gloo/transport|closed by peer|reset by peer|DistBackendError|NCCL error", re.IGNORECASE)


def blamed(error: BaseException) -> AdvorchError:
    """The error that the others follow from."""
    leaves = [classify(leaf) for leaf in _leaves(error)]
    found = min(leaves, key=_weight)
    return _lost_peer(found) if isinstance(found, StageFailed) and LOST_PEER.search(found.message) else found


def _lost_peer(complaint: StageFailed) -> StageFailed:
    """A rank whose node is gone says nothing itself, and its peers may be heard before Ray has noticed."""
    message = f"a rank of the gang is gone; its peer says: {complaint.message}"
    return StageFailed(
        message, error_class=ErrorClass.NODE_LOST, hint="the node of a rank died", details=complaint.details
    )


def _weight(error: AdvorchError) -> int:
    if isinstance(error, Stopped):
        return -1
    if not isinstance(error, StageFailed):
        return len(ORDER) - 1
    if error.error_class is ErrorClass.USER and SILENCE.search(error.message):
        return len(ORDER)
    return ORDER.index(error.error_class)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Ray Train nests the errors of the ranks in its own; those that wrap nothing are the ranks' words."""
    inner = list(_inner(error))
    if not inner:
        yield error
    for item in inner:
        yield from _leaves(item)


def _inner(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, AdvorchError):
        return  # classified where it happened
    failures = getattr(error, "worker_failures", None)
    wrapped = list(failures.values()) if isinstance(failures, dict) else []
    wrapped += [getattr(error, name, None) for name in ("_base_exc", "cause", "training_failed_error", "__cause__")]
    seen: list[BaseException] = []
    for item in wrapped:
        if isinstance(item, BaseException) and item is not error and item not in seen:
            seen.append(item)
            yield item
