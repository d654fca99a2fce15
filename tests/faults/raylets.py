"""Several raylets on this machine, as one process that obeys lines on its standard input.

Arguments: the temporary folder, then the resources of each node as JSON, the head's first. Prints the address when all
nodes are there. Orders, with their argument as JSON: `kill N`, `kill_busy WHAT`, `freeze_busy WHAT`, `thaw_all null`,
`add NODE`; and `quit`. Each but the last is answered by a line.
"""

import json
import os
import signal
import sys
import time
from typing import Any

from ray.cluster_utils import Cluster

STORE = 80 * 2**20


class Raylets:
    """The nodes by number; the head is number 0."""

    def __init__(self, folder: str, nodes: list[dict[str, float]]) -> None:
        self._folder = folder
        self._cluster = Cluster()
        self._nodes: list[Any] = []
        for node in nodes:
            self.add(node)

    def add(self, resources: dict[str, float]) -> None:
        head = {"temp_dir": self._folder, "include_dashboard": False} if not self._nodes else {}
        self._nodes.append(self._cluster.add_node(**resources, **head, object_store_memory=STORE))

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def kill(self, number: int) -> None:
        """As a machine that loses its power: no process says goodbye."""
        for pid in self._family(number):
            os.kill(pid, signal.SIGKILL)

    def kill_busy(self, title: str) -> None:
        """The node, not the head, on which a process does this at the moment; Ray puts it into the process's title."""
        self.kill(self._busy(title))

    def freeze_busy(self, title: str) -> None:
        self.freeze(self._busy(title))

    def _busy(self, title: str) -> int:
        until = time.monotonic() + 20  # between two chunks nobody is busy
        while time.monotonic() < until:
            for number in range(1, len(self._nodes)):
                if any(title in _title(pid) for pid in self._family(number)):
                    return number
        raise LookupError(title)

    def freeze(self, number: int) -> None:
        self._signal(number, signal.SIGSTOP)

    def thaw_all(self, _: object) -> None:
        for number in range(len(self._nodes)):
            self._signal(number, signal.SIGCONT)

    def quit(self) -> None:
        for number in reversed(range(len(self._nodes))):
            self._signal(number, signal.SIGKILL)

    def _signal(self, number: int, what: signal.Signals) -> None:
        for pid in self._family(number):
            try:
                os.kill(pid, what)
            except ProcessLookupError:
                continue

    def _family(self, number: int) -> list[int]:
        """The services of a node and its workers, which are the raylet's children."""
        import psutil

        family = []
        for infos in self._nodes[number].all_processes.values():
            for info in infos:
                try:
                    process = psutil.Process(info.process.pid)
                    family += [process.pid, *(child.pid for child in process.children(recursive=True))]
                except psutil.NoSuchProcess:
                    continue
        return family


def _title(pid: int) -> str:
    import psutil

    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return ""


def main(folder: str, nodes: list[str]) -> None:
    """Obey until told to quit, or until whoever gives orders is gone."""
    raylets = Raylets(folder, [json.loads(node) for node in nodes])
    print(raylets.address, flush=True)
    for line in sys.stdin:
        order, _, argument = line.strip().partition(" ")
        if order == "quit":
            break
        getattr(raylets, order)(json.loads(argument))
        print(f"{order} {time.time()}", flush=True)
    raylets.quit()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
