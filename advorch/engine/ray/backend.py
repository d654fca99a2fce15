"""Work on Ray: warm actors for single fits and for chunks, a gang for fits of several workers."""

from collections.abc import Mapping
from typing import Any

from advorch.engine.backend import Control
from advorch.engine.ray.actor import WarmWorker
from advorch.engine.ray.calls import Call
from advorch.engine.ray.cluster import Cluster
from advorch.engine.ray.crew import Crew
from advorch.engine.ray.gang import run_gang
from advorch.engine.ray.mailbox import Mailbox
from advorch.engine.ray.mapping import MapRun
from advorch.engine.ray.pool import Hold, Pool
from advorch.engine.task import Produced, Task


class RayBackend:
    """The pool and the mailbox of one run on one cluster."""

    name = "ray"

    def __init__(self, cluster: Cluster) -> None:
        cluster.start()
        import ray

        self._cluster = cluster
        self._capacity = cluster.capacity()
        self._mailbox = ray.remote(Mailbox).options(num_cpus=0).remote()
        self._pool = Pool(self._hire, _fire, Hold(**self._capacity))

    def capacity(self) -> Mapping[str, float]:
        """The cluster's CPUs, GPUs and memory."""
        return self._capacity

    def fit(self, task: Task, control: Control) -> Produced:
        """On a warm actor; several workers form a gang."""
        crew = Crew(self._pool, self._mailbox, task, control)
        if task.workers > 1:
            return run_gang(crew)
        worker = crew.borrow()
        try:
            produced: Produced = crew.finish(Call(worker.handle.fit.remote(task)))
        except BaseException as error:
            crew.part_with(worker, error)
            raise
        self._pool.give_back(worker)
        return produced

    def map(self, task: Task, control: Control) -> Produced:
        """Chunks over as many workers as are spare, then the merge on one of them."""
        return MapRun(Crew(self._pool, self._mailbox, task, control)).run()

    def close(self) -> None:
        """Let the workers go and leave the cluster."""
        self._pool.close()
        _fire(self._mailbox)
        self._cluster.close()

    def _hire(self, hold: Hold) -> Any:
        import ray

        options: dict[str, Any] = {"num_cpus": hold.cpu, "num_gpus": hold.gpu, "max_restarts": 0}
        if hold.memory:
            options["memory"] = hold.memory
        return ray.remote(WarmWorker).options(**options).remote(self._mailbox)


def _fire(handle: Any) -> None:
    import ray

    ray.kill(handle)
