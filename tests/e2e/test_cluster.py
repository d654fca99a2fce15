"""Starting, joining and leaving Ray."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from advorch.engine.ray.cluster import Cluster, ClusterSettings
from advorch.engine.scratch import OWNER
from advorch.errors import InfrastructureError
from advorch.processes import this_place

SMALL = ClusterSettings(cpus=1, object_store=80 * 2**20)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.ray
def test_a_private_cluster_keeps_to_itself_and_leaves_nothing(request: pytest.FixtureRequest) -> None:
    dead, other = Path("/tmp/adv-999999999-left-behind"), Path("/tmp/adv-999999998-results")
    for made in (dead, other):
        made.mkdir(exist_ok=True)
    (dead / OWNER).write_text(json.dumps({"place": this_place(), "pid": 999999999, "birth": "long ago"}))
    cluster = Cluster(SMALL)
    cluster.start()
    request.addfinalizer(cluster.close)
    import ray

    folder = next(Path("/tmp").glob(f"adv-{os.getpid()}-*/ray")).parent
    assert mode(folder) == 0o700
    assert mode(Path(os.environ["RAY_AUTH_TOKEN_PATH"])) == 0o600
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert not dead.exists(), "the folder of a killed driver is swept"
    assert other.exists(), "what says of itself that it is ours, and nothing else"
    other.rmdir()
    where = ray.get(ray.remote(lambda: os.environ["TMPDIR"]).remote())
    assert Path(where).is_relative_to(folder)
    cluster.close()
    assert not folder.exists()
    assert not ray.is_initialized()


@pytest.mark.ray
def test_a_ray_that_is_there_is_used_and_left_alone(tmp_path: Path) -> None:
    script = """
import ray
from advorch.engine.ray.cluster import Cluster, ClusterSettings
ray.init(num_cpus=1, include_dashboard=False, object_store_memory=80 * 2**20, logging_level="ERROR")
cluster = Cluster(ClusterSettings(cpus=7))
cluster.start()
assert cluster.capacity()["cpu"] == 1, cluster.capacity()
cluster.close()
assert ray.is_initialized()
ray.shutdown()
"""
    home = os.environ | {"HOME": str(tmp_path)}  # where Ray itself leaves a token
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=90, env=home
    )
    assert done.returncode == 0, done.stderr


def test_a_cluster_that_cannot_be_reached_is_one_line() -> None:
    with pytest.raises(InfrastructureError, match=r"cannot reach 127\.0\.0\.1:1") as caught:
        Cluster(ClusterSettings(address="127.0.0.1:1")).start()
    assert caught.value.exit_code == 8
