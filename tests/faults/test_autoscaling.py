"""A cluster that starts nodes for those who wait, and ends them when nobody works there: Ray's fake provider."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

STORE = 80 * 2**20
IDLE_MINUTES = 0.15

PIPELINE = """
address: ADDRESS
stages:
  small: {uses: train/walk, with: {steps: 2}}
  pair: {uses: train/walk, with: {steps: 3, start: 1}, resources: {workers: 2}}
  big: {uses: train/walk, with: {steps: 2, start: 2}, resources: {cpus: 3}}
"""


def config(address: str) -> dict[str, Any]:
    """Written out fully, as the wheel lacks the example that Ray's own helper starts from."""
    types = {
        "ray.head.default": {"resources": {"CPU": 1}, "node_config": {}, "max_workers": 0},
        "small": {"resources": node(1), "node_config": {}, "min_workers": 0, "max_workers": 2},
        "big": {"resources": node(3), "node_config": {}, "min_workers": 0, "max_workers": 1},
    }
    quiet = {"use_node_id_as_ip": True, "disable_node_updaters": True, "disable_launch_config_check": True}
    lists = ("cluster_synced_files", "initialization_commands", "setup_commands", "head_setup_commands")
    lists += ("worker_setup_commands", "head_start_ray_commands", "worker_start_ray_commands", "rsync_exclude")
    return {
        "cluster_name": "fake",
        "max_workers": 3,
        "idle_timeout_minutes": IDLE_MINUTES,
        "upscaling_speed": 100.0,
        "docker": {},
        "provider": {"type": "fake_multinode", "gcs_address": address, **quiet},
        "auth": {},
        "available_node_types": types,
        "head_node_type": "ray.head.default",
        "file_mounts": {},
        "file_mounts_sync_continuously": False,
        "rsync_filter": [],
        **{name: [] for name in lists},
    }


def node(cpus: int) -> dict[str, float]:
    return {"CPU": cpus, "object_store_memory": STORE}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def address(short_folder: Path) -> Iterator[str]:
    """Never by `AutoscalingCluster`, which stops every Ray of this user; the group that is started here is ended."""
    port, client_port = free_port(), free_port()
    where = f"{socket.gethostbyname(socket.gethostname())}:{port}"
    (short_folder / "config.json").write_text(json.dumps(config(where)))
    command = [
        str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", f"--port={port}", "--num-cpus=1",
        "--num-gpus=0", f"--object-store-memory={STORE}", "--include-dashboard=false", "--min-worker-port=0",
        "--max-worker-port=0", f"--temp-dir={short_folder / 'ray'}", "--dashboard-agent-listen-port=0",
        f"--autoscaling-config={short_folder / 'config.json'}", f"--ray-client-server-port={client_port}",
    ]  # fmt: skip
    environment = {"RAY_FAKE_CLUSTER": "1", "RAY_enable_autoscaler_v2": "0", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
    with (short_folder / "said").open("w") as said:
        head = subprocess.Popen(
            command, env=os.environ | environment, stdout=said, stderr=said, start_new_session=True, cwd=short_folder
        )
    yield where
    os.killpg(head.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        head.wait(timeout=10)
    _end(short_folder)
    os.killpg(head.pid, signal.SIGKILL) if head.poll() is None else None
    head.wait()


def _end(folder: Path) -> None:
    """What the cluster started, by the folder that is named in its commands or its surroundings; nobody else's."""
    import psutil

    for process in psutil.process_iter():
        try:
            if (
                str(folder) in " ".join([*process.cmdline(), *process.environ().values()])
                and process.pid != os.getpid()
            ):
                process.kill()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


ASK = """
import json, sys, time, ray
from ray.experimental.internal_kv import _internal_kv_get
for _ in range(60):
    try:
        ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
        break
    except ConnectionError:
        time.sleep(0.5)
wanted, since = sys.argv[2], time.monotonic()
while time.monotonic() - since < 90:
    nodes = sum(node["Alive"] for node in ray.nodes())
    if (wanted == "status" and _internal_kv_get("__autoscaling_status")) or wanted == str(nodes):
        print(json.dumps({"seconds": time.monotonic() - since, "nodes": nodes}))
        sys.exit(0)
    time.sleep(0.3)
sys.exit(f"{nodes} nodes")
"""


def wait(address: str, wanted: str) -> float:
    """Seconds until the cluster reports its status, or has so many nodes."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, address, wanted], capture_output=True, text=True, check=False, timeout=150
    )
    assert done.returncode == 0, done.stderr
    return float(json.loads(done.stdout)["seconds"])


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.timeout(400)
def test_nodes_come_for_what_waits_and_go_when_it_is_done(address: str, runs: Any) -> None:
    wait(address, "status")
    assert wait(address, "1") < 5, "the head alone"
    said = runs.finish(runs.start(runs.write(PIPELINE.replace("ADDRESS", address))), 0, seconds=200)
    assert {row["status"] for row in runs.rows.values()} == {"done"}
    assert "big waits for 3 cpu: the cluster has 1 cpu now, and may grow" in said
    assert "pair waits for 2 cpu: the cluster has 1 cpu now, and may grow" in said
    ended = time.monotonic()
    wait(address, "1")
    print(said, f"down to the head {time.monotonic() - ended:.1f} s after the run")


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.timeout(200)
def test_what_no_node_ever_has_is_refused_where_nothing_grows(raylets: Any, runs: Any) -> None:
    nodes = raylets({"num_cpus": 1})
    said = runs.finish(runs.start(runs.write(PIPELINE.replace("ADDRESS", nodes.address))), 8)
    assert "can never start: it needs" in said
