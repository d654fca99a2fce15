"""A submitted run seen from here: brought up to date, followed to its end, stopped."""

import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from advorch.errors import InfrastructureError
from advorch.tracking.mirror import Mirror, driver_output, read_state
from advorch.tracking.submission import FORGOTTEN, Job, read_job, read_submission, write_job

if TYPE_CHECKING:
    from advorch.engine.ray.jobs import Jobs

PATIENCE = 120.0  # seconds that a cluster may be away before a follower gives up
PAUSE = 1.0
LETTERS_A_SECOND = 2**20
LAST_LINES = 20
LOOKED_AT = 200


class Forgotten(InfrastructureError):
    """The cluster answers, and knows nothing of the run."""


class Follower:
    """A thread that brings what the driver tells into the run's folder, until its job has ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"follows {folder.name}")
        self._thread.start()

    def check(self) -> None:
        """Raise what ended the thread, if anything did."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            follow(self._folder)
        except BaseException as error:  # noqa: BLE001  a thread's error is for the main thread to raise
            self._error = error


def is_open(folder: Path) -> bool:
    """Whether a run was submitted and nobody has seen its job end yet."""
    job = read_job(folder)
    return read_submission(folder) is not None and (job is None or not job.ended)


def refresh(folder: Path) -> None:
    """Bring the folder of a submitted run up to what its cluster says now."""
    if not is_open(folder):
        return
    jobs = _jobs(folder)
    with _mirrored(folder) as mirror:
        if mirror is not None:  # else somebody follows, and all arrives anyway
            _take_or_lose(jobs, folder, mirror)


def follow(folder: Path) -> None:
    """Take in what the driver tells as it comes, from where an earlier reader stopped, until its job has ended."""
    while is_open(folder):
        with _mirrored(folder) as mirror:
            if mirror is not None:
                _keep_up(folder, mirror)
        if is_open(folder):
            time.sleep(PAUSE)  # another process does all this


def stop(folder: Path) -> bool:
    """Ask the driver of a submitted run to stop, as SIGTERM does; whether it was running."""
    return _jobs(folder).stop(folder.name)


def explanation(folder: Path) -> list[str]:
    """Why a driver ended though no stage failed: its own words from its error on, or what the cluster says."""
    job, written = read_job(folder), driver_output(folder, LOOKED_AT)
    errors = [number for number, line in enumerate(written) if line.startswith(("error", "Traceback"))]
    told = written[errors[0] :] if errors else written
    return (told or (job.message.strip().split("\n") if job else []))[-LAST_LINES:]


def strange_host(folder: Path) -> str:
    """The machine of the driver if it is another, though the results are kept in a folder: a tunnel looks like here."""
    submission, host = read_submission(folder), (read_state(folder).get("hello") or {}).get("host", "")
    local = submission is not None and "://" not in submission.storage
    return host if local and host != platform.node() else ""


def _keep_up(folder: Path, mirror: Mirror) -> None:
    """Again and again at a pace that the length allows: no connection is held open that could break unseen."""
    jobs, heard, length = None, float("-inf"), 0
    while is_open(folder):
        try:
            jobs = jobs or _jobs(folder)
            length = _take(jobs, folder, mirror)
            heard = time.monotonic()
        except InfrastructureError as error:
            if isinstance(error, Forgotten) or time.monotonic() - heard > PATIENCE:
                raise
            jobs = None
        if is_open(folder):
            time.sleep(max(PAUSE, length / LETTERS_A_SECOND))


def _take_or_lose(jobs: "Jobs", folder: Path, mirror: Mirror) -> None:
    """That the cluster has forgotten the run is an answer too; only to submit it again asks once more."""
    try:
        _take(jobs, folder, mirror)
    except Forgotten as error:
        write_job(folder, Job(status=FORGOTTEN, message=error.message))


def _take(jobs: "Jobs", folder: Path, mirror: Mirror) -> int:
    """The whole output, of which the mirror knows what is new; its length."""
    job = _found(jobs, folder)
    output = jobs.output(folder.name)  # after the record: of a job that has ended, this is all
    mirror.begin()
    mirror.feed(output)
    write_job(folder, _judged(folder, job))
    return len(output)


def _judged(folder: Path, job: Job) -> Job:
    """The code of a command that never said that it lives is not that of a run: advorch is not there, or another."""
    began = read_state(folder).get("hello")
    return job if began or not job.driver_exit_code else replace(job, driver_exit_code=None)


def _jobs(folder: Path) -> "Jobs":
    from advorch.engine.ray.jobs import Jobs

    submission = read_submission(folder)
    if submission is None:
        raise InfrastructureError(f"run {folder.name} was not submitted to a cluster")
    return Jobs(submission.dashboard)


def _found(jobs: "Jobs", folder: Path) -> Job:
    job = jobs.find(folder.name)
    if job is None:
        hint = "the cluster was started anew? submit the pipeline again; what is committed stays in its storage"
        raise Forgotten(f"the cluster does not know run {folder.name}", hint=hint)
    return job


@contextmanager
def _mirrored(folder: Path) -> Iterator[Mirror | None]:
    mirror = Mirror.open(folder)
    if mirror is None:
        yield None
        return
    with mirror:
        yield mirror
