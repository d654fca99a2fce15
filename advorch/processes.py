"""Whether a process on this machine is the one it was, without trusting its id alone."""

import os
import platform
import subprocess
from pathlib import Path


def this_place() -> str:
    """Names the set of processes that we can see: host, boot and process id namespace."""
    return "/".join([platform.node(), _boot(), _namespace()])


def birth(pid: int) -> str | None:
    """When a process was born, as an opaque text; None for one that is gone or waits to be reaped."""
    return _birth_by_proc(pid) if Path("/proc/self/stat").exists() else _birth_by_ps(pid)


def _birth_by_proc(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # the command in brackets may hold spaces and brackets
    return None if fields[0] in "ZX" else f"{_boot()}/{fields[19]}"


def _birth_by_ps(pid: int) -> str | None:
    environment = os.environ | {"LC_ALL": "C", "TZ": "UTC"}
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    state, _, started = answer.stdout.strip().partition(" ")
    return started.strip() if started and not state.startswith("Z") else None


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except FileNotFoundError:
        return ""


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except FileNotFoundError:
        return ""
