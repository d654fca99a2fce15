"""Looks after a cluster that others share: what there is now, who has been idle, what to ask for, whether it lives."""

import logging
import math
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple

from advorch.engine.ray.cluster import Cluster
from advorch.engine.ray.growth import Bundles, Growth, may_grow
from advorch.engine.ray.head import Head
from advorch.engine.ray.hold import Hold
from advorch.engine.ray.pool import Pool
from advorch.engine.ray.room import check_room
from advorch.engine.slots import GANG, Request, Slots

ROUND_SECONDS = 1.0
IDLE_SECONDS = 60.0  # a warm worker keeps its node from being idle, and others from its room
JOIN_SECONDS = 5.0
GROWTH_SECONDS = 1800.0  # a cluster that has not grown for so long will not

log = logging.getLogger(__name__)


class Steward:
    """One thread that goes its rounds until it is dismissed."""

    def __init__(self, cluster: Cluster, pool: Pool, head: Head) -> None:
        self._cluster = cluster
        self._pool = pool
        self._head = head
        self._growth = Growth()
        self._capacity: Mapping[str, float] = cluster.capacity()
        self._most = dict(self._capacity)
        self._clusters = {self._nodes()}
        self._grows = may_grow()
        self._waiting_since: float | None = None
        self._slots = Slots({})
        self._troubles: set[str] = set()
        self._dismissed = threading.Event()
        self._thread = threading.Thread(target=self._rounds, name="steward", daemon=True)

    def serve(self, slots: Slots) -> None:
        """Keep the slots true to what there is, from now on."""
        self._slots = slots
        self._tell()
        self._thread.start()

    def check_fits(self, hold: Hold, workers: int, cell: str) -> None:
        """Raise if the nodes have, or had, no room for such workers at once and none will be started."""
        if not self._grows:
            check_room(hold, workers, cell, self._clusters)

    def dismiss(self) -> None:
        """No more rounds; what was asked for is withdrawn."""
        self._dismissed.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=JOIN_SECONDS)  # a question to a head that is gone may take a minute
        if not self._head.is_lost:
            self._growth.withdraw()

    def _rounds(self) -> None:
        while not self._dismissed.wait(ROUND_SECONDS):
            try:
                if self._head.listen():
                    self._round()
            except Exception as error:  # noqa: BLE001  without its rounds a run waits for ever and nobody knows why
                self._complain(error)

    def _complain(self, error: Exception) -> None:
        """Once about each trouble: the rounds are many."""
        trouble = f"{type(error).__name__}: {error}"
        if trouble not in self._troubles:
            self._troubles.add(trouble)
            log.warning("looking after the cluster failed, and is tried again: %s", trouble, exc_info=error)

    def _round(self) -> None:
        import ray

        # What a head that is just going answers; it is seen again, or not, by whoever works.
        with suppress(ray.exceptions.RayError, OSError, RuntimeError):
            capacity = self._cluster.capacity()
            if capacity != self._capacity:
                self._changed(capacity)
            self._pool.dismiss_idle(longer_than=IDLE_SECONDS)
            self._ask()

    def _changed(self, capacity: Mapping[str, float]) -> None:
        self._waiting_since = None
        self._grows = self._grows or may_grow()
        self._capacity = capacity
        self._clusters.add(self._nodes())
        self._most = {name: max(amount, self._most.get(name, 0.0)) for name, amount in capacity.items()}
        self._pool.resize(Hold.of(capacity))
        self._tell()

    def _nodes(self) -> tuple[Hold, ...]:
        return tuple(sorted((Hold.of(node) for node in self._cluster.nodes()), key=astuple))

    def _ask(self) -> None:
        requests = self._slots.wishes()
        self._keep_patience(any(self._slots.lacks(dict(request)) for request in requests))
        if self._grows:
            self._growth.ask(wishes_of(requests, self._pool.cravings()))

    def _keep_patience(self, waits: bool) -> None:
        """Nothing changed for long, and somebody needs more than there is: now it is told that it will not come."""
        now = time.monotonic()
        self._waiting_since = (self._waiting_since or now) if waits else None
        if self._waiting_since is not None and now - self._waiting_since > GROWTH_SECONDS:
            self._grows, self._most = False, dict(self._capacity)
            self._tell()

    def _tell(self) -> None:
        most = dict.fromkeys(self._capacity, math.inf) if self._grows else self._most
        self._slots.resize(self._capacity, most, grows=self._grows)


def wishes_of(requests: Mapping[frozenset[tuple[str, float]], int], cravings: Mapping[Hold, int]) -> dict[Bundles, int]:
    """By the workers that would be started at once; what cells wait for comes before what maps would like."""
    wishes: dict[Bundles, int] = {}
    for request, count in requests.items():
        bundles = bundles_of(dict(request))
        if bundles:
            wishes[bundles] = wishes.get(bundles, 0) + count
    for hold, count in cravings.items():
        if count:
            wishes[hold,] = wishes.get((hold,), 0) + count
    return wishes


def bundles_of(request: Request) -> Bundles:
    """The workers of a cell, each with its share."""
    workers = round(request.get(GANG, 1))
    share = Hold.of({name: amount / workers for name, amount in request.items()})
    return (share,) * workers if share.resources() else ()
