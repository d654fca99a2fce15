"""Whether the head of a cluster that we joined is still there: Ray itself ends our process when it is not."""

import socket
import time
from dataclasses import dataclass, field

from advorch.errors import InfrastructureError

PATIENCE = 30.0  # half of what Ray waits before it ends the process without a word to us
KNOCK_SECONDS = 2.0


@dataclass
class Head:
    """The address of Ray's own services; empty for a private cluster, which ends with us."""

    address: str = ""
    silent_since: float | None = field(default=None, init=False)

    @property
    def is_lost(self) -> bool:
        """Whether it has been silent for so long that it is given up."""
        return self.silent_since is not None and time.monotonic() - self.silent_since > PATIENCE

    def check(self) -> None:
        """Raise once the head is given up."""
        if self.is_lost:
            hint = "start a head, then run it again: what was committed is in the store"
            raise InfrastructureError(f"the head of the cluster at {self.address} is gone", hint=hint)

    def listen(self) -> bool:
        """Knock once, and remember since when nobody answered."""
        if not self.address or self._answers():
            self.silent_since = None
        elif self.silent_since is None:
            self.silent_since = time.monotonic()
        return self.silent_since is None

    def explain(self) -> None:
        """Raise if it is the head that is gone, which explains whatever else was lost; waits until that is known."""
        while not self.listen():
            self.check()
            time.sleep(1.0)

    def _answers(self) -> bool:
        host, _, port = self.address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_SECONDS).close()
        except OSError:
            return False
        return True
