"""The ranks that do one fit together; alone is the common case."""

from typing import Any, Protocol


class Group(Protocol):
    """Who takes part, and the two collectives that the context needs."""

    rank: int
    size: int
    device: str

    def agree(self, value: Any) -> Any:
        """Rank 0's value, on every rank."""

    def barrier(self) -> None:
        """Return when every rank has arrived."""


class Alone:
    """A group of one."""

    rank = 0
    size = 1

    def __init__(self, device: str) -> None:
        self.device = device

    def agree(self, value: Any) -> Any:
        """The value itself."""
        return value

    def barrier(self) -> None:
        """Nobody to wait for."""


class Gang:
    """The ranks of an initialised torch.distributed process group."""

    def __init__(self, device: str) -> None:
        import torch.distributed as dist

        self.device = device
        self.rank = dist.get_rank()
        self.size = dist.get_world_size()

    def agree(self, value: Any) -> Any:
        """Broadcast from rank 0; small plain values only."""
        import torch.distributed as dist

        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def barrier(self) -> None:
        """Through the process group."""
        import torch.distributed as dist

        dist.barrier()
