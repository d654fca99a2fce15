"""Whether the process that drives a run is still there: its id, its birth and its host, in `driver.json`."""

import json
import os
import platform
import signal
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from advorch.artifacts import check_format
from advorch.errors import InfrastructureError
from advorch.processes import birth
from advorch.tracking.files import write_atomically
from advorch.tracking.submission import read_job

FILE = "driver.json"
FORMAT = "driver/1"


class Life(StrEnum):
    """What can be said of a driver from here."""

    ALIVE = "alive"
    DEAD = "dead"
    ELSEWHERE = "elsewhere"
    SUBMITTED = "submitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The process that drives a run; `birth` keeps a reused process id from looking alive."""

    pid: int
    birth: str
    host: str
    format: str = FORMAT


def this_driver() -> Driver:
    """The calling process."""
    return Driver(pid=os.getpid(), birth=birth(os.getpid()) or "", host=platform.node())


def write_driver(folder: Path) -> Driver:
    """Put the calling process down as the driver of a run; done once, before the first event."""
    driver = this_driver()
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / FILE, json.dumps(asdict(driver)))
    return driver


def read_driver(folder: Path) -> Driver | None:
    """The driver of a run, if one was ever put down."""
    try:
        values = json.loads((folder / FILE).read_text())
    except FileNotFoundError:
        return None
    check_format(values["format"], "driver", 1)
    return Driver(**{name: values[name] for name in Driver.__dataclass_fields__ if name in values})


def life(folder: Path) -> Life:
    """Whether the driver of a run lives; one on another host cannot be asked, of one on a cluster there is a record."""
    driver = read_driver(folder)
    if driver is None:
        return _life_of_job(folder)
    if driver.host != platform.node():
        return Life.ELSEWHERE
    return Life.ALIVE if birth(driver.pid) == driver.birth else Life.DEAD


def _life_of_job(folder: Path) -> Life:
    job = read_job(folder)
    return Life.DEAD if job is None or job.ended else Life.SUBMITTED


def ask_to_stop(folder: Path) -> None:
    """SIGTERM to the driver of a run, if it is alive and ours to ask."""
    driver = read_driver(folder)
    if driver is None or life(folder) is not Life.ALIVE:
        raise InfrastructureError(f"the driver of run {folder.name} is gone")
    try:
        os.kill(driver.pid, signal.SIGTERM)
    except PermissionError as error:
        raise InfrastructureError(f"the driver of run {folder.name} belongs to another user") from error
