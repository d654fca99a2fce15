"""Two nodes on this machine: workers that keep apart or not, and a node that is not what the driver is."""

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.long]

SCRIPT = """
import json, os, sys
import ray
from ray.cluster_utils import Cluster
from advorch.engine.channel import PostingChannel
from advorch.engine.ray.census import Question, check_nodes
from advorch.engine.ray.crew import Crew
from advorch.engine.ray.gang import Launch
from advorch.engine.ray.head import Head
from advorch.engine.ray.hold import Hold
from advorch.engine.ray.staff import RayStaff, new_mailbox
from advorch.engine.task import Task
from advorch.errors import PluginMismatch
from advorch.registry.discovery import discover
from advorch.store.opening import open_store

folder = sys.argv[1]
cluster = Cluster()
options = {"num_cpus": 2, "object_store_memory": 80 * 2**20}
cluster.add_node(**options, temp_dir=folder + "/ray", include_dashboard=False)
cluster.add_node(**options, env_vars={"ADVORCH_NO_PLUGINS": "builtin-attacks", "GIVEN": ""})
os.environ["GIVEN"] = "x"
ray.init(cluster.address, logging_level="ERROR", log_to_driver=False)


def nodes_of(staff, placement):
    workers = [staff.hire(Hold(1, 0, 0, placement)) for _ in range(2)]
    ray.get([worker.ping.remote() for worker in workers])
    found = {ray._private.state.actors(worker._actor_id.hex())["Address"]["NodeID"] for worker in workers}
    for worker in workers:
        staff.fire(worker)
    return len(found)


def strategy(placement):
    task = Task(run="r", cell="c", component="train/erm", params={}, inputs={}, key="a" * 64, seed=1, plugins={},
                store=folder + "/store", workers=2, placement=placement)
    crew = Crew(None, None, task, None, Head())
    return Launch(crew)._trainer(folder).scaling_config.placement_strategy


def complaint(**asked):
    try:
        check_nodes(discover(disabled=asked.get("disabled", ())), Question(**asked))
    except PluginMismatch as error:
        return error.message
    return ""


store = open_store(folder + "/store")
store.raise_flag("run/r/census")
staff = RayStaff(new_mailbox(), Head())
print(json.dumps({
    "apart": nodes_of(staff, "spread"),
    "gang": {placement: strategy(placement) for placement in ("spread", "pack")},
    "differs": complaint(storage=store.url, flag="run/r/census"),
    "another": complaint(storage=store.url, flag="run/other/census", disabled=("builtin-attacks",)),
}))
ray.shutdown()
cluster.shutdown()
"""


def test_two_nodes() -> None:
    with tempfile.TemporaryDirectory(prefix="advp-", dir="/tmp") as folder:  # short, for Ray's sockets
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, folder], capture_output=True, text=True, check=False, timeout=110,
            env=os.environ | {"RAY_TMPDIR": folder},  # where Ray leaves the address for whoever comes next
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["apart"] == 2
    assert found["gang"] == {"spread": "SPREAD", "pack": "PACK"}
    assert "advorch: 0.1.0 [" in found["differs"]
    assert found["differs"].count("\n") == 1, "one node differs, in one thing"
    assert "is another one there" in found["another"]
    assert "advorch: " not in found["another"]
