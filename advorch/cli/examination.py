"""What `advorch doctor` looks at; nothing heavy is imported, nothing is changed."""

import os
import platform
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from advorch.errors import PluginError
from advorch.registry.discovery import discover
from advorch.registry.plugin import Plugin
from advorch.session.workspace import Workspace

LIBRARIES = ("advorch", "torch", "ray", "mlflow", "optuna")
PYTHONS = ((3, 11), (3, 13))
ENOUGH_DISK = 2 << 30
SCARCE_DISK = 10 << 30
PORTS: Mapping[int, str] = {6379: "Ray head", 8265: "Ray dashboard", 10001: "Ray client"}
_PATIENCE = 10.0


class State(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    detail: str
    remedy: str = ""


def examine(disabled: Collection[str] = ()) -> list[Finding]:
    """Everything, in the order in which one would repair it."""
    return [
        _python(), *map(_library, LIBRARIES), *_plugins(disabled), _workspace(Workspace.find().root),
        _disk(Workspace.find().root), _gpus(), *_secrets(), *(_port(port, name) for port, name in PORTS.items()),
    ]  # fmt: skip


def _python() -> Finding:
    found = platform.python_version()
    oldest, newest = PYTHONS
    if oldest <= sys.version_info[:2] <= newest:
        return Finding("python", State.OK, found)
    wanted = f"{'.'.join(map(str, oldest))} to {'.'.join(map(str, newest))}"
    return Finding("python", State.PROBLEM, found, f"advorch is tested on Python {wanted}")


def _library(name: str) -> Finding:
    try:
        return Finding(name, State.OK, version(name))
    except PackageNotFoundError:
        return Finding(name, State.PROBLEM, "not installed", f"pip install {name}")


def _plugins(disabled: Collection[str]) -> Iterator[Finding]:
    try:
        plugins = discover(disabled=disabled).plugins
    except PluginError as error:
        yield Finding("plugins", State.PROBLEM, error.message, error.hint)
        return
    yield from map(_plugin, plugins)


def _plugin(plugin: Plugin) -> Finding:
    what = f"plugin {plugin.entry_point}"
    if plugin.error:
        remedy = f"repair or uninstall {plugin.distribution}, or switch it off with --no-plugin {plugin.entry_point}"
        return Finding(what, State.PROBLEM, plugin.error, remedy)
    if plugin.heavy:
        detail = f"imports {', '.join(plugin.heavy)} at discovery"
        return Finding(what, State.NOTE, detail, "every command waits for it: see `advorch plugin check`")
    return Finding(what, State.OK, "switched off" if plugin.disabled else f"{len(plugin.components)} components")


def _workspace(root: Path) -> Finding:
    place = _nearest(root)
    try:
        with tempfile.TemporaryFile(dir=place):
            return Finding("workspace", State.OK, str(root))
    except OSError as error:
        remedy = "set ADVORCH_HOME to a folder that can be written to"
        return Finding("workspace", State.PROBLEM, f"{place}: {error.strerror}", remedy)


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(_nearest(root)).free
    state = State.PROBLEM if free < ENOUGH_DISK else State.NOTE if free < SCARCE_DISK else State.OK
    remedy = "" if state is State.OK else "free some space (`advorch cache gc`), or set ADVORCH_HOME to a larger disk"
    return Finding("free disk", state, f"{free / (1 << 30):.1f} GiB", remedy)


def _nearest(path: Path) -> Path:
    """The path itself, or the first folder above it that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def _gpus() -> Finding:
    program = shutil.which("nvidia-smi")
    if program is None:
        return Finding("gpus", State.OK, "none: nvidia-smi is not installed")
    question = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        asked = subprocess.run(question, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("gpus", State.PROBLEM, f"nvidia-smi does not answer: {error}", "look at the driver")
    if asked.returncode:
        said = (asked.stdout + asked.stderr).strip().splitlines() or ["no reason given"]
        return Finding("gpus", State.PROBLEM, f"nvidia-smi failed: {said[0]}", "look at the driver")
    return Finding("gpus", State.OK, "; ".join(asked.stdout.strip().splitlines()) or "none")


def _secrets() -> Iterator[Finding]:
    """Files that let their reader into a cluster or a server."""
    ray = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token").expanduser()
    for what, path in (("ray token", ray), ("mlflow credentials", Path("~/.mlflow/credentials").expanduser())):
        yield _secret(what, path)


def _secret(what: str, path: Path) -> Finding:
    if not path.is_file():
        return Finding(what, State.OK, "none")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Finding(what, State.PROBLEM, f"{path} can be read by others ({mode:04o})", f"chmod 600 {path}")
    return Finding(what, State.OK, f"{path} ({mode:04o})")


def _port(port: int, name: str) -> Finding:
    what = f"port {port}"
    if not _answers("127.0.0.1", port):
        return Finding(what, State.OK, f"free ({name})")
    outside = _outside_address()
    if outside and _answers(outside, port):
        remedy = "keep it on a private network: whoever reaches it runs code here"
        return Finding(what, State.NOTE, f"in use ({name}), and open on {outside}", remedy)
    return Finding(what, State.NOTE, f"in use ({name}), on this machine alone")


def _answers(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((address, port)) == 0


def _outside_address() -> str:
    """The address that other machines know this one by; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        address: str = probe.getsockname()[0]
        return "" if address.startswith("127.") else address
