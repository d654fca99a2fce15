"""Work on Ray: warm actors for single fits and for chunks, a gang for fits of several workers."""

from collections.abc import Mapping
from contextlib import ExitStack

from advorch.engine.backend import Control
from advorch.engine.ray.calls import Call
from advorch.engine.ray.cluster import Cluster
from advorch.engine.ray.crew import Crew
from advorch.engine.ray.gang import run_gang
from advorch.engine.ray.hold import Hold
from advorch.engine.ray.mapping import MapRun
from advorch.engine.ray.pool import Pool
from advorch.engine.ray.staff import RayStaff, new_mailbox
from advorch.engine.ray.steward import Steward
from advorch.engine.slots import Slots
from advorch.engine.task import Produced, Task


class RayBackend:
    """The pool and the mailbox of one run on one cluster."""

    name = "ray"

    def __init__(self, cluster: Cluster) -> None:
        with ExitStack() as opened:
            opened.callback(cluster.close)
            cluster.start()
            self._cluster = cluster
            self._head = cluster.head()
            self._mailbox = new_mailbox()
            staff = RayStaff(self._mailbox, self._head)
            opened.callback(staff.fire, self._mailbox)
            self._pool = Pool(staff, Hold.of(cluster.capacity()))
            opened.callback(self._pool.dismiss_idle)
            self._steward = Steward(cluster, self._pool, self._head)
            opened.callback(self._steward.dismiss)
            self._opened = opened.pop_all()

    def capacity(self) -> Mapping[str, float]:
        """The cluster's CPUs, GPUs and memory, now."""
        return self._cluster.capacity()

    def serve(self, slots: Slots) -> None:
        """A private cluster stays as it is; nodes of others come and go."""
        if not self._cluster.is_private:
            self._steward.serve(slots)

    def fit(self, task: Task, control: Control) -> Produced:
        """On a warm actor; several workers form a gang."""
        crew = self._crew(task, control)
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
        return MapRun(self._crew(task, control)).run()

    def rest(self) -> None:
        """Idle workers hold their share of the cluster; they can be hired again."""
        self._pool.dismiss_idle()

    def close(self) -> None:
        """Let the workers go and leave the cluster."""
        self._opened.close()

    def _crew(self, task: Task, control: Control) -> Crew:
        crew = Crew(self._pool, self._mailbox, task, control, self._head)
        self._steward.check_fits(crew.hold, task.workers, task.cell)
        return crew
