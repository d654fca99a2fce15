"""Who computes a key: a claim with a heartbeat, taken over when its owner is dead, and never locked for good."""

import json
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from threading import Lock
from typing import Any

from advorch.errors import Claimed, Stopped, StoreError
from advorch.processes import birth, this_place
from advorch.store.api import Owner
from advorch.store.backend import Records, Seen
from advorch.store.heart import Heart
from advorch.store.layout import claim_name

log = logging.getLogger(__name__)

FORMAT = "claim/1"
INTERVAL = 2.0
MISSED_BEATS = 5
_NAP = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a claim says of its owner; `token` is its own, so that two threads of one process differ."""

    token: str
    owner: Owner
    place: str
    pid: int
    birth: str
    interval: float
    beat: int = 0

    def encode(self) -> bytes:
        """As JSON; every beat differs, or a thief could mistake a new one for the old."""
        return json.dumps({"format": FORMAT} | asdict(self)).encode()

    @property
    def dead(self) -> bool:
        """Whether its process ran where we can see it, and is gone."""
        return self.place == this_place() and birth(self.pid) != self.birth


class Claims:
    """The claims of one store."""

    def __init__(self, records: Records, interval: float = INTERVAL) -> None:
        self._records = records
        self._interval = interval
        self._heart = Heart(interval)

    @contextmanager
    def hold(self, key: str, owner: Owner, *, wait: bool, stopping: Callable[[], bool]) -> Iterator[None]:
        """Hold a key's claim: see `Store.claim`."""
        name, claim = claim_name(key), new_claim(owner, self._interval)
        self._acquire(name, claim, wait=wait, stopping=stopping)
        held = HeldClaim(self._records, name, claim)
        self._heart.add(held)
        try:
            yield
        finally:
            self._heart.remove(held)
            held.release()

    def held(self, name: str) -> bool:
        """Whether a live owner stands behind a claim record."""
        seen = self._records.peek(name)
        return seen is not None and not self._abandoned(seen)

    def _acquire(self, name: str, claim: Claim, *, wait: bool, stopping: Callable[[], bool]) -> None:
        told = False
        while (holder := self._take(name, claim)) is not None:
            if not wait:
                raise Claimed(f"{_who(holder)} is computing the same key", hint="leave out --no-wait to wait for it")
            if not told:
                log.info("waiting for %s, which is computing the same key", _who(holder))
            told = True
            _sleep(min(1.0, self._interval / 4), stopping)

    def _take(self, name: str, claim: Claim) -> Seen | None:
        """Take the claim; returns that of its live owner where there is one."""
        while True:
            seen = self._records.peek(name)
            if seen is None:
                if self._records.create(name, claim.encode()):
                    return None
            elif not self._abandoned(seen):
                return seen
            elif self._records.swap(name, seen, claim.encode()):
                log.warning("took over from %s, which is gone", _who(seen))
                return None

    def _abandoned(self, seen: Seen) -> bool:
        claim = decode(seen)
        if claim is not None and claim.dead:
            return True
        interval = claim.interval if claim else self._interval
        return self._records.age(seen) > MISSED_BEATS * interval


class HeldClaim:
    """A claim of ours: renewed until it is given back, and noticed when it is somebody else's."""

    def __init__(self, records: Records, name: str, claim: Claim) -> None:
        self._records = records
        self._name = name
        self._claim = claim
        self._seen = records.peek(name)
        self._over = False
        self._lock = Lock()

    def beat(self) -> None:
        """Say that its owner lives."""
        with self._lock:
            if self._over:
                return
            try:
                self._renew()
            except StoreError as error:
                log.warning("heartbeat of %s failed, trying again: %s", self._name, error)

    def release(self) -> None:
        """Give the claim back; a lost one is only told of, because commit is exactly-once in any case."""
        with self._lock:
            self._over = True
        try:
            released = self._seen is not None and self._records.remove(self._name, self._seen)
        except StoreError as error:
            log.warning("could not give back %s, which will expire: %s", self._name, error)
            return
        if not released:
            log.warning("another run took the claim %s while this one was computing", self._name)

    def _renew(self) -> None:
        self._claim = replace(self._claim, beat=self._claim.beat + 1)
        renewed = self._seen and self._records.renew(self._name, self._seen, self._claim.encode())
        self._seen = renewed or self._recovered()
        self._over = self._seen is None

    def _recovered(self) -> Seen | None:
        """A claim out of step with us may still be ours: put back by a thief who saw our beat, or written twice."""
        self._records.create(self._name, self._claim.encode())
        seen = self._records.peek(self._name)
        claim = decode(seen) if seen else None
        return seen if claim and claim.token == self._claim.token else None


def new_claim(owner: Owner, interval: float) -> Claim:
    """A claim of the calling process."""
    pid, token = os.getpid(), uuid.uuid4().hex
    place, born = _identity(pid)
    return Claim(token=token, owner=owner, place=place, pid=pid, birth=born, interval=interval)


@lru_cache(maxsize=1)
def _identity(pid: int) -> tuple[str, str]:
    """Where this process is and when it was born, which does not change; a fork has another id."""
    return this_place(), birth(pid) or ""


def decode(seen: Seen) -> Claim | None:
    """The claim in a record; None for one that is torn or of another version, which only its age can free."""
    try:
        plain: dict[str, Any] = json.loads(seen.data)
        values = {name: plain[name] for name in Claim.__dataclass_fields__}
        return Claim(**(values | {"owner": Owner(**plain["owner"])}))
    except (ValueError, KeyError, TypeError):
        return None


def _who(seen: Seen) -> str:
    claim = decode(seen)
    if claim is None:
        return "another run"
    return f"run {claim.owner.run} (process {claim.owner.pid} on {claim.owner.host})"


def _sleep(seconds: float, stopping: Callable[[], bool]) -> None:
    """Sleep in short naps, so that a stop is obeyed at once."""
    until = time.monotonic() + seconds
    while True:
        if stopping():
            raise Stopped("stopped while waiting for another run that computes the same key")
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(_NAP, left))
