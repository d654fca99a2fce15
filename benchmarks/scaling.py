"""How a map stage scales over workers on one machine, and what each part of the orchestration can carry.

    python benchmarks/scaling.py [--quick] [--json out.json]

Two kinds of chunks: some that only sleep, whose time is bound by the orchestration alone, and some that compute, which
are bound by the CPUs. The time is that of the stage in the journal, from its start to its commit; workers are warm from
a stage before it. Then the parts: a chunk that costs nothing, letters, commits, lists of what is committed.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest import mock

from measuring import LAB, Figure, command, stand

import advorch
from advorch.engine.channel import Progressed
from advorch.engine.ray.cluster import Cluster, ClusterSettings
from advorch.engine.ray.staff import new_mailbox
from advorch.session.running import Options
from advorch.session.workspace import Workspace
from advorch.store.opening import open_store

WORKERS = (1, 2, 4, 8)
CHUNK = 4
MILLI = 1e3
PIPELINE = """
version: 1
name: scaling
seed: 7
tracking: {{mlflow: false}}
data: {{digits: {{uses: digits, splits: {{fit: "train[:300]", warm: "train[:{warm}]", final: "train[:{final}]"}}}}}}
stages:
  net:
    uses: train/erm
    in: {{data: digits.fit}}
    with: {{model: {{uses: mlp, with: {{hidden: [{hidden}]}}}}, epochs: 20}}
  warm:
    uses: attack/deadly
    in: {{model: net.model, data: digits.warm}}
    with: {{epsilon: 0.1, chunk: {chunk}, pause: 1.0}}
  timed:
    uses: attack/{attack}
    needs: [warm]
    in: {{model: net.model, data: digits.final}}
    with: {{epsilon: 0.1, chunk: {chunk}, {params}}}
"""


def seconds(workers: int, attack: str, params: str, chunks: int, hidden: int = 16) -> float:
    """Of one map stage over so many workers, each with a CPU that Ray believes in."""
    text = PIPELINE.format(
        attack=attack, params=params, chunk=CHUNK, warm=CHUNK * 10 * workers, final=CHUNK * chunks, hidden=hidden
    )
    settings = partial(ClusterSettings, cpus=workers)
    with stand() as at, mock.patch("advorch.engine.ray.cluster.ClusterSettings", settings):
        (at.folder / "scaling.yaml").write_text(text)
        planned = advorch.load(at.folder / "scaling.yaml", workspace=Workspace(at.folder / "home")).plan()
        done = planned.run(Options(quiet=True)).check()
        return float(done.record.cells["timed"].seconds or 0.0)


def over_workers(title: str, measure: Callable[[int], float], workers: tuple[int, ...]) -> Iterator[Figure]:
    """Each against the first, which has one worker."""
    alone = 0.0
    for count in workers:
        took = measure(count)
        alone = alone or took
        note = f"{alone / took:.2f} times as fast, efficiency {alone / took / count:.0%}"
        yield Figure(what=f"{title}, {count} worker{'s' if count > 1 else ''}", value=took, unit="s", note=note)


def maps(quick: bool) -> list[Figure]:
    """Chunks that sleep, chunks that compute, chunks that cost nothing."""
    workers = (1, 2) if quick else WORKERS
    chunks = 16 if quick else 64
    sleeping = partial(seconds, attack="deadly", params="pause: 0.5", chunks=chunks)
    computing = partial(seconds, attack="pgd", params="steps: 200", chunks=chunks, hidden=1024)
    empty = 40 if quick else 300
    free = seconds(2, "deadly", "pause: 0", empty)
    return [
        *over_workers(f"{chunks} chunks that sleep 0.5 s", sleeping, workers),
        *over_workers(f"{chunks} chunks of PGD on {os.cpu_count()} CPUs", computing, workers),
        Figure(what=f"{empty} chunks that cost nothing, 2 workers", value=free / empty * MILLI, unit="ms/chunk"),
    ]


def letters(quick: bool) -> list[Figure]:
    """What one mailbox takes in, and what a look into it costs."""
    import ray

    count = 300 if quick else 3000
    cluster = Cluster(ClusterSettings(cpus=1))
    cluster.start()
    try:
        mailbox = new_mailbox()
        ray.get(mailbox.drain.remote("cell"))
        began = time.perf_counter()
        ray.get([mailbox.post.remote("cell", [Progressed(n, count)]) for n in range(count)])
        posting = time.perf_counter() - began
        began = time.perf_counter()
        for _ in range(count):
            ray.get(mailbox.drain.remote("cell"))
        looking = time.perf_counter() - began
        waiting = _waiting(1000)
    finally:
        cluster.close()
    return [
        Figure(what="letters that one mailbox takes in", value=count / posting, unit="1/s"),
        Figure(what="a look into the mailbox", value=looking / count * MILLI, unit="ms"),
        Figure(what="a look at 1,000 calls under way", value=waiting * MILLI, unit="ms"),
    ]


def _waiting(calls: int) -> float:
    """Seconds of one `ray.wait` that finds nothing done: what the driver does after each chunk."""
    import ray

    actor = ray.remote(Sleeper).options(num_cpus=0, max_concurrency=2).remote()
    under_way = [actor.sleep.remote(60) for _ in range(calls)]
    ray.wait(under_way, num_returns=1, timeout=0)
    began = time.perf_counter()
    for _ in range(20):
        ray.wait(under_way, num_returns=1, timeout=0)
    took = (time.perf_counter() - began) / 20
    ray.kill(actor)
    return took


class Sleeper:
    """An actor whose calls take long."""

    def sleep(self, seconds: float) -> None:
        """And nothing else."""
        time.sleep(seconds)


def commits(quick: bool) -> list[Figure]:
    """A chunk's file of 16 KiB in a local store, and a list of all that is committed."""
    count = 200 if quick else 2000
    with tempfile.TemporaryDirectory() as folder:
        partials = open_store(str(Path(folder) / "store")).partials("k" * 64)
        rows = Path(folder) / "rows"
        began = time.perf_counter()
        for number in range(count):
            rows.write_bytes(number.to_bytes(4, "little") * 4096)
            partials.commit(f"{number:08d}", {"rows.safetensors": rows})
        committing = time.perf_counter() - began
        began = time.perf_counter()
        partials.names()
        listing = time.perf_counter() - began
    return [
        Figure(what="commit of a chunk, local store", value=committing / count * MILLI, unit="ms"),
        Figure(what=f"list of {count} committed chunks", value=listing * MILLI, unit="ms"),
    ]


def measure(quick: bool) -> list[Figure]:
    """The parts first: they are short."""
    sys.path.insert(0, str(LAB))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(LAB), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return [*commits(quick), *letters(quick), *maps(quick)]


if __name__ == "__main__":
    command("scaling", __doc__, measure)
