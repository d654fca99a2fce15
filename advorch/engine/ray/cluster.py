"""Starting, joining and leaving a Ray cluster: every setting and guard that Ray needs stands here."""

import atexit
import contextlib
import logging
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from advorch.engine.scratch import new_folder, sweep
from advorch.errors import InfrastructureError

PREFIX = "adv-"
CONNECT_SECONDS = 5.0

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
        import ray

        if ray.is_initialized():
            return
        troubles = (ConnectionError, TimeoutError, RuntimeError, OSError, ValueError, ray.exceptions.RayError)
        try:
            self._join() if self._settings.address else self._start_private()
        except troubles as error:
            self._undo.close()
            where = self._settings.address or "a private Ray"
            raise InfrastructureError(f"cannot reach {where}: {_first_line(error)}", hint=_hint(error)) from error
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

    def close(self) -> None:
        """Leave; a private cluster ends, and its folder and token go."""
        if self._ours:
            import ray

            ray.shutdown()
            self._ours = False
        self._undo.close()

    def _join(self) -> None:
        import ray

        _knock(self._settings.address)
        if Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "")).parent.name.startswith(PREFIX):
            del os.environ["RAY_AUTH_TOKEN_PATH"]  # the token of a private cluster of ours is not this cluster's
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
        sweep(PREFIX, short)
        folder = new_folder(PREFIX, short)
        self._undo.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _set(self, name: str, value: str) -> None:
        if name in os.environ:
            return
        os.environ[name] = value
        self._undo.callback(os.environ.pop, name, None)


def _ensure_token() -> None:
    """One token a process: Ray reads it once and keeps it, also for the next cluster that the process starts.

    The mode is left to `ray.init`, which turns tokens on for a private cluster also if Ray was imported before us.
    """
    if any(name in os.environ for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")):
        return
    folder = new_folder(PREFIX)
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


def _knock(address: str) -> None:
    """Ray itself tries an address where nobody listens for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()


def _whole(amount: float | None) -> int | None:
    return None if amount is None else int(amount)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _hint(error: BaseException) -> str:
    if "token" in str(error).lower() or "auth" in str(error).lower():
        return "give this machine the cluster's token: RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH=<file>"
    return "is the head running, and is the address that of Ray itself (port 6379), not of the dashboard?"
