"""Starting, joining and leaving a Ray cluster: every setting and guard that Ray needs stands here."""

import atexit
import contextlib
import logging
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from advorch.engine.ray.entry import as_infrastructure, knock
from advorch.engine.ray.head import Head
from advorch.engine.ray.token import PATH, PRIVATE, find_token, is_private
from advorch.engine.scratch import new_folder, sweep
from advorch.errors import InfrastructureError

# What Ray must be told before it is imported, and why.
SETTINGS = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",  # the gang's report poll; Ray's own 2 s paces every epoch
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "120",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",  # prints are captured by us
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_enable_infeasible_task_early_exit": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """Which cluster, or how large a private one."""

    address: str = ""
    cpus: float | None = None
    gpus: float | None = None
    object_store: int = 256 * 2**20


class Cluster:
    """A cluster that we joined, or a private one on this machine that ends with us."""

    def __init__(self, settings: ClusterSettings) -> None:
        self._settings = settings
        self._undo = contextlib.ExitStack()
        self._ours = False

    def start(self) -> None:
        """Join, or start; a Ray that the process has already initialised is used as it is."""
        for name, value in SETTINGS.items():
            self._set(name, value)
        try:
            self._knock()
            self._open()
        except (OSError, RuntimeError, ValueError, InfrastructureError) as error:
            self._undo.close()
            raise as_infrastructure(error, self._settings.address or "a private Ray") from error

    def _knock(self) -> None:
        """Before Ray is imported, which reads once and for all whether it is to show a token."""
        if not self._settings.address or _is_initialized():
            return
        if knock(self._settings.address, find_token()):
            self._set("RAY_AUTH_MODE", "token")
        if is_private():  # the next private cluster of this process will need it again
            self._undo.callback(os.environ.__setitem__, PATH, os.environ.pop(PATH))

    def _open(self) -> None:
        import ray

        if ray.is_initialized():
            return
        try:
            self._join() if self._settings.address else self._start_private()
        except ray.exceptions.RayError as error:
            raise RuntimeError(str(error)) from error
        self._ours = True

    def capacity(self) -> Mapping[str, float]:
        """CPUs, GPUs and memory of the whole cluster."""
        import ray

        resources: Mapping[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        return _named(resources)

    def nodes(self) -> list[dict[str, float]]:
        """What each live node has: a worker must fit on one."""
        import ray

        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        return [_named(resources) for resources in alive]

    @property
    def is_private(self) -> bool:
        """Whether it is ours alone, and ends with us."""
        return self._ours and not self._settings.address

    def head(self) -> Head:
        """Whether it is there, in a cluster that is not ours alone."""
        import ray

        return Head("" if self.is_private else ray.get_runtime_context().gcs_address)

    def close(self) -> None:
        """Leave; a private cluster ends, and its folder and token go."""
        if self._ours:
            import ray

            ray.shutdown()
            self._ours = False
        self._undo.close()

    def _join(self) -> None:
        import ray

        ray.init(address=self._settings.address, log_to_driver=False, logging_level=logging.ERROR, namespace="advorch")

    def _start_private(self) -> None:
        import ray

        folder = self._private_folder()
        _ensure_token()
        with _scratch_of_workers(folder / "scratch"):
            ray.init(
                address="local",
                num_cpus=_whole(self._settings.cpus),
                num_gpus=_whole(self._settings.gpus),
                object_store_memory=self._settings.object_store,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                namespace="advorch",
                _temp_dir=str(folder / "ray"),
            )

    def _private_folder(self) -> Path:
        # Ray's socket paths must fit in 107 bytes and its own folders are world-writable, so: short, and 0700.
        short = Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())  # noqa: S108  0700 below
        sweep(PRIVATE, short)
        folder = new_folder(PRIVATE, short)
        self._undo.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _set(self, name: str, value: str) -> None:
        if name in os.environ:
            return
        os.environ[name] = value
        self._undo.callback(os.environ.pop, name, None)


def _is_initialized() -> bool:
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


def _ensure_token() -> None:
    """One token a process: Ray reads it once and keeps it, also for the next cluster that the process starts.

    The mode is left to `ray.init`, which turns tokens on for a private cluster also if Ray was imported before us.
    """
    if any(name in os.environ for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")):
        return
    folder = new_folder(PRIVATE)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    os.environ["RAY_AUTH_TOKEN_PATH"] = str(token)


@contextlib.contextmanager
def _scratch_of_workers(folder: Path) -> Iterator[None]:
    """Workers inherit TMPDIR when Ray starts, so what a killed one leaves behind goes with the cluster."""
    folder.mkdir()
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before


def _named(resources: Mapping[str, float]) -> dict[str, float]:
    theirs = {"cpu": "CPU", "gpu": "GPU", "memory": "memory"}
    return {name: resources.get(label, 0.0) for name, label in theirs.items()}


def _whole(amount: float | None) -> int | None:
    return None if amount is None else int(amount)
