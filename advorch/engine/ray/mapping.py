"""One map task over an elastic set of warm workers."""

import time
from collections import Counter, deque
from typing import Any

from advorch.engine.bench import chunk_count, chunk_name
from advorch.engine.inline import check_interrupted, until_whole
from advorch.engine.ray.calls import Call, is_loss
from advorch.engine.ray.crew import Crew
from advorch.engine.ray.pool import Worker
from advorch.engine.tally import SoFar
from advorch.engine.task import Produced
from advorch.errors import StageFailed

LOSSES_A_CHUNK = 3
START_SECONDS = 10.0  # in which a hired worker answers, if there is room for it
CRAVING_SECONDS = 30.0  # work that takes no longer is not worth a node


class MapRun:
    """Count, spread the missing chunks, merge; a lost worker costs its chunk."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._todo: deque[int] = deque()
        self._flying: dict[Any, tuple[Worker, int]] = {}
        self._idle: list[Worker] = []
        self._coming: dict[Any, Worker] = {}
        self._lost_spares = 0
        self._since = time.monotonic()
        self._losses: Counter[int] = Counter()
        self._so_far = SoFar()

    def run(self) -> Produced:
        """Whatever happens, every worker goes back or goes."""
        try:
            produced = until_whole(self._crew.control, self._spread, lambda: self._on_one("reduce"))
        finally:
            for worker, _ in self._flying.values():
                self._crew.pool.discard(worker)
            for worker in self._idle:
                self._crew.pool.give_back(worker)
            for worker in self._coming.values():
                self._turn_away(worker)
        return produced

    def _turn_away(self, worker: Worker) -> None:
        """Too late for us: one that has just been hired will serve the next, another waits for room in vain."""
        if time.monotonic() - worker.hired < START_SECONDS:
            self._crew.pool.give_back(worker)
        else:
            self._crew.pool.discard(worker)

    def _on_one(self, method: str) -> Any:
        for attempt in range(1, LOSSES_A_CHUNK + 1):
            worker = self._idle.pop() if self._idle else self._crew.borrow()
            try:
                result = self._crew.finish(Call(getattr(worker.handle, method).remote(self._crew.task)))
            except BaseException as error:
                self._crew.part_with(worker, error)
                if not is_loss(error) or attempt == LOSSES_A_CHUNK:
                    raise
            else:
                self._idle.append(worker)
                return result
        raise AssertionError("unreachable: the last attempt raises")

    def _spread(self) -> None:
        count, size = self._on_one("count")
        crew, committed, total = self._crew, self._crew.control.committed(), chunk_count(count, size)
        self._todo.extend(index for index in range(total) if chunk_name(index) not in committed)
        while self._todo or self._flying:
            check_interrupted(crew.control, crew.task)
            self._grow()
            self._launch()
            self._collect()
            crew.deliver()
            done = total - len(self._todo) - len(self._flying)
            crew.control.channel.progress(min(done * size, count), count, self._so_far.shares())

    def _grow(self) -> None:
        """Never none; more than one only while nobody waits for the room. A spare is given work once it answers."""
        if not self._idle and not self._flying and not self._coming:
            self._idle.append(self._crew.borrow())
        while self._lost_spares < LOSSES_A_CHUNK and len(self._idle) + len(self._coming) < len(self._todo):
            spare = self._crew.pool.lend_spare(self._crew.hold)
            if spare is None:
                self._crave()
                return
            self._coming[spare.handle.ping.remote()] = spare

    def _crave(self) -> None:
        if time.monotonic() - self._since > CRAVING_SECONDS:
            self._crew.pool.crave(self._crew.hold, len(self._todo) - len(self._idle) - len(self._coming))

    def _launch(self) -> None:
        while self._idle and self._todo:
            worker, index = self._idle.pop(), self._todo.popleft()
            self._flying[worker.handle.chunk.remote(self._crew.task, index)] = (worker, index)
        while self._idle and self._flying:
            self._crew.pool.give_back(self._idle.pop())

    def _collect(self) -> None:
        import ray

        ready, _ = ray.wait([*self._coming, *self._flying], num_returns=1, timeout=0.1)
        for ref in ready:
            if ref in self._coming:
                self._welcome(ref)
                continue
            worker, index = self._flying.pop(ref)
            try:
                self._so_far.add(Call(ref).result())
            except Exception as error:  # noqa: BLE001  a lost chunk is judged whatever was raised
                self._lose(worker, index, error)
            else:
                self._keep(worker)

    def _welcome(self, ref: Any) -> None:
        worker = self._coming.pop(ref)
        try:
            Call(ref).result()
        except StageFailed as error:
            self._lost_spares += 1
            self._crew.part_with(worker, error)
        else:
            self._idle.append(worker)

    def _lose(self, worker: Worker, index: int, error: Exception) -> None:
        self._crew.part_with(worker, error)
        self._losses[index] += 1
        if not is_loss(error) or self._losses[index] >= LOSSES_A_CHUNK:
            raise error
        self._crew.control.channel.log(f"a worker was lost with chunk {index}; the chunk is computed again")
        self._todo.appendleft(index)

    def _keep(self, worker: Worker) -> None:
        if self._crew.pool.is_wanted and self._flying:
            self._crew.pool.give_back(worker)
        else:
            self._idle.append(worker)
