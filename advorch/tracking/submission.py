"""A run that was handed to a cluster: what was asked, in `submission.json`, and how its job stands, in `job.json`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from advorch.artifacts import check_format
from advorch.tracking.files import write_atomically

FILE = "submission.json"
JOB_FILE = "job.json"
FORMAT = "submission/1"
JOB_FORMAT = "job/1"

FORGOTTEN = "FORGOTTEN"  # not a word of Ray: the cluster does not know the job any more
STOPPED = 6
LOST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What was sent where; `options` are words of a command line, `content` is the digest of the files."""

    run: str
    dashboard: str
    pipeline: str
    file: str
    options: tuple[str, ...]
    content: str
    at: float
    profile: str = ""
    executor: str = ""
    storage: str = ""
    format: str = FORMAT


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The cluster's own record of a job; `driver_exit_code` is None for one that was stopped or never started."""

    status: str
    driver_exit_code: int | None = None
    message: str = ""
    options: str = ""
    content: str = ""
    format: str = JOB_FORMAT

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in ("SUCCEEDED", "FAILED", "STOPPED", FORGOTTEN)

    def exit_code(self, journalled: int | None) -> int | None:
        """The run's code once the job has ended; a job that was stopped or killed has none of its own."""
        if not self.ended:
            return None
        if self.driver_exit_code is not None and self.driver_exit_code >= 0:
            return self.driver_exit_code
        if journalled is not None:
            return journalled
        return STOPPED if self.status == "STOPPED" else LOST


def write_submission(folder: Path, submission: Submission) -> None:
    """Leave word of a submission where every verb on runs finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / FILE, json.dumps(asdict(submission), indent=1))


def read_submission(folder: Path) -> Submission | None:
    """What was submitted; None for a run that was started here."""
    try:
        values = json.loads((folder / FILE).read_text())
    except FileNotFoundError:
        return None
    check_format(values["format"], "submission", 1)
    known = {name: values[name] for name in Submission.__dataclass_fields__ if name in values}
    return Submission(**known | {"options": tuple(known["options"])})


def write_job(folder: Path, job: Job) -> None:
    """Keep what the cluster last said of a job."""
    write_atomically(folder / JOB_FILE, json.dumps(asdict(job), indent=1))


def read_job(folder: Path) -> Job | None:
    """What the cluster last said of the job; None before it was asked."""
    try:
        values = json.loads((folder / JOB_FILE).read_text())
    except FileNotFoundError:
        return None
    check_format(values["format"], "job", 1)
    return Job(**{name: values[name] for name in Job.__dataclass_fields__ if name in values})
