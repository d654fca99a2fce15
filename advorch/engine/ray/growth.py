"""Asking an autoscaler for what waits: as placement groups, which end with us and give way once the nodes are there."""

import json
import threading
import time
from collections.abc import Mapping
from typing import Any

from advorch.engine.ray.hold import Hold

Bundles = tuple[Hold, ...]  # workers that are wanted at once

PATIENCE = 5.0  # what waits no longer than this is not worth a node
MOST_ASKED = 64  # workers of one kind at a time: a cluster grows in steps
NODE_GROUP = "ray.io/node-group"
STATUS_KEY = "__autoscaling_status"
ANONYMOUS = "node_"  # how Ray calls the kind of a node that nobody described


def may_grow() -> bool:
    """Whether somebody starts nodes for those who wait: then the kinds of nodes have names.

    Ray has no question for that. The launcher and KubeRay label the head with its kind; the older autoscaler reports
    the kinds; where nodes were started by hand, it reports each node as a kind of its own.
    """
    import ray

    kinds = {node.get("Labels", {}).get(NODE_GROUP) for node in ray.nodes() if node["Alive"]}  # type: ignore[no-untyped-call]
    return bool(kinds - {None, ""}) or _reports_kinds()


def _reports_kinds() -> bool:
    from ray.experimental.internal_kv import _internal_kv_get

    status = json.loads(_internal_kv_get(STATUS_KEY) or b"{}")
    kinds = (status.get("autoscaler_report") or {}).get("node_type_mapping") or {}
    return any(not kind.startswith(ANONYMOUS) for kind in kinds.values())


class Growth:
    """What is asked for at present; the thread that asks and the one that ends it are two."""

    def __init__(self) -> None:
        self._asked: dict[Bundles, list[Any]] = {}
        self._since: dict[Bundles, float] = {}
        self._closed = False
        self._lock = threading.Lock()

    def ask(self, wishes: Mapping[Bundles, int]) -> None:
        """Ask for what is wished for and has been for a while; withdraw what is not, or has come."""
        with self._lock:
            if not self._closed:
                self._ask(wishes)

    def withdraw(self) -> None:
        """Ask for nothing more, now and from now on."""
        with self._lock:
            self._closed = True
            self._withdraw({})

    def _ask(self, wishes: Mapping[Bundles, int]) -> None:
        now = time.monotonic()
        self._since = {wish: self._since.get(wish, now) for wish in wishes}
        self._withdraw(wishes)
        for wish, count in wishes.items():
            asked = self._asked.setdefault(wish, [])
            while len(asked) < min(count, MOST_ASKED) and now - self._since[wish] >= PATIENCE:
                asked.append(_group(wish))

    def _withdraw(self, wishes: Mapping[Bundles, int]) -> None:
        for wish, groups in self._asked.items():
            for group in list(groups):
                if len(groups) > wishes.get(wish, 0) or _is_there(group):
                    groups.remove(group)
                    _remove(group)


def _group(wish: Bundles) -> Any:
    from ray.util.placement_group import placement_group

    return placement_group([worker.resources() for worker in wish], strategy="PACK")


def _is_there(group: Any) -> bool:
    from ray.util.placement_group import placement_group_table

    return bool(placement_group_table(group).get("state") == "CREATED")


def _remove(group: Any) -> None:
    from ray.util.placement_group import remove_placement_group

    remove_placement_group(group)
