"""Hiring and firing Ray actors."""

from typing import Any

from advorch.engine.ray.actor import WarmWorker
from advorch.engine.ray.head import Head
from advorch.engine.ray.hold import Hold
from advorch.engine.ray.mailbox import Mailbox

ANSWER_SECONDS = 5.0


class RayStaff:
    """Warm workers as actors that speak through one mailbox."""

    def __init__(self, mailbox: Any, head: Head) -> None:
        self._mailbox = mailbox
        self._head = head

    def hire(self, hold: Hold) -> Any:
        """An actor that restarts never: a new one is as good, and ours to count."""
        import ray

        options: dict[str, Any] = {"num_cpus": hold.cpu, "num_gpus": hold.gpu, "max_restarts": 0}
        if hold.memory:
            options["memory"] = int(hold.memory)
        if hold.placement == "spread":
            options["scheduling_strategy"] = "SPREAD"
        return ray.remote(WarmWorker).options(**options).remote(self._mailbox)

    def fire(self, handle: Any) -> None:
        """End the actor's process; without a head there is nobody who could, and it ends by itself."""
        import ray

        if self._head.silent_since is None:
            ray.kill(handle)

    def is_alive(self, handle: Any) -> bool:
        """Whether the actor answers a call that does nothing."""
        import ray

        try:
            ray.get(handle.ping.remote(), timeout=ANSWER_SECONDS)
        except ray.exceptions.RayError:
            return False
        return True


def new_mailbox() -> Any:
    """On the driver's own node, so that it is lost only with the driver."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    return ray.remote(Mailbox).options(num_cpus=0, scheduling_strategy=here).remote()
