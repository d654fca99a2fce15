"""Handing a pipeline to a cluster: what is checked before anything is sent, what is sent, and what is kept of it."""

import hashlib
import json
import os
import shlex
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from advorch.errors import InfrastructureError, InvalidPipeline, Problem, UsageError
from advorch.plan.plan import Plan
from advorch.session.naming import check_run_id, name_run
from advorch.session.parcel import Parcel, pack
from advorch.session.running import mlflow_job
from advorch.session.workspace import Workspace
from advorch.spec.codes import Code
from advorch.spec.pipeline import PipelineSpec
from advorch.tracking import outbox
from advorch.tracking.journal import FILE as JOURNAL
from advorch.tracking.submission import (
    FORGOTTEN,
    Job,
    Submission,
    read_job,
    read_submission,
    write_job,
    write_submission,
)

if TYPE_CHECKING:
    from advorch.engine.ray.jobs import Jobs

STOP_SECONDS = "RAY_JOB_STOP_WAIT_TIME_S"
GRACE = "600"  # seconds for running stages to reach their next checkpoint; Ray itself gives three
HOME = "ADVORCH_HOME=${ADVORCH_HOME:-~/.advorch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a user asks for besides the file; `options` are those of `pipeline run`, as words."""

    dashboard: str = ""
    run: str = ""
    executor: str = "ray"
    options: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    ship: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()


def submit(plan: Plan, workspace: Workspace, wish: Wish) -> Path:
    """The folder of the run: just submitted, or found because the same was submitted under this name before."""
    from advorch.engine.ray.jobs import Jobs

    spec = plan.spec
    dashboard = _dashboard(spec, wish)
    storage = _storage(spec, workspace, dashboard)
    parcel = pack(spec, wish.exclude, wish.ship)
    submission = _submission(spec, wish, parcel, dashboard, storage)
    folder = workspace.runs / submission.run
    if _is_done(folder, submission):
        return folder
    jobs = Jobs(dashboard)
    job = jobs.find(submission.run)
    if job is None:
        shutil.rmtree(folder, ignore_errors=True)  # of a cluster that has forgotten the run
        job = _sent(jobs, submission, parcel)
    _refuse_another(job, submission)
    _keep(folder, submission, job)
    if spec.tracking.enabled:
        outbox.write_job(folder, mlflow_job(plan, workspace, storage, wish.disabled))
    return folder


def entrypoint(submission: Submission) -> str:
    """What the cluster runs; `exec`, so that a signal to the job is one to the driver."""
    own = ["--run-id", submission.run, "--events"]
    own += ["--address", "auto"] if submission.executor == "ray" else []
    return f"{HOME} exec python -m advorch pipeline run {shlex.join([submission.file, *own, *submission.options])}"


def _dashboard(spec: PipelineSpec, wish: Wish) -> str:
    from advorch.engine.ray.jobs import check_dashboard

    url = wish.dashboard or spec.dashboard
    if not url:
        hint = "give --dashboard http://head:8265, or `dashboard:` in the file or a profile"
        raise UsageError("submit needs to know where the cluster's dashboard is", hint=hint)
    return check_dashboard(url)


def _storage(spec: PipelineSpec, workspace: Workspace, dashboard: str) -> str:
    """Where results are kept, seen alike from here and from the cluster."""
    from advorch.engine.ray.jobs import is_here

    url = spec.storage or workspace.store_url
    if "://" in url and not url.startswith("file://"):
        return url
    if not is_here(dashboard):
        raise _not_shared(spec, url, dashboard)
    return url if "://" in url else str(Path(url).expanduser().absolute())


def _not_shared(spec: PipelineSpec, url: str, dashboard: str) -> InvalidPipeline:
    node = spec.root.get("storage")
    named = f"`storage: {url}`" if spec.storage else f"the store of this workspace, {url},"
    problem = Problem(
        code=Code.CONFLICT.value,
        message=f"{named} is a folder of this machine, and the cluster at {dashboard} is another",
        place=node.mark.place() if node else None,
        hint="name a storage that both reach: storage: s3://bucket/prefix",
    )
    return InvalidPipeline([problem])


def _submission(spec: PipelineSpec, wish: Wish, parcel: Parcel, dashboard: str, storage: str) -> Submission:
    options = [*wish.options, "-S", f"storage={json.dumps(storage)}"]
    return Submission(
        run=check_run_id(wish.run) if wish.run else name_run(time.time()), dashboard=dashboard, pipeline=spec.name,
        file=parcel.pipeline.as_posix(), options=tuple(options), content=parcel.digest(), at=time.time(),
        profile=spec.profile, executor=wish.executor, storage=storage,
    )  # fmt: skip


def _is_done(folder: Path, submission: Submission) -> bool:
    """Whether this very submission has ended already; any other use of the name is an error."""
    before = read_submission(folder)
    if before is None:
        if folder.exists():
            raise _taken(submission, "a run that was started here")
        return False
    if before.dashboard != submission.dashboard:
        raise _taken(submission, f"a run on {before.dashboard}")
    if _asked(before) != _asked(submission):
        raise _taken(submission, "a run with other options")
    if before.content != submission.content:
        raise _taken(submission, "a run of other files")
    job = read_job(folder)
    return job is not None and job.ended and job.status != FORGOTTEN


def _sent(jobs: "Jobs", submission: Submission, parcel: Parcel) -> Job:
    from advorch.engine.ray.jobs import Order

    with tempfile.TemporaryDirectory(prefix="advorch-parcel-") as scratch:
        parcel.lay_out(Path(scratch))
        order = Order(
            id=submission.run, entrypoint=entrypoint(submission), folder=Path(scratch), options=_asked(submission),
            content=submission.content, variables={STOP_SECONDS: os.environ.get(STOP_SECONDS, GRACE)},
        )  # fmt: skip
        try:
            jobs.submit(order)
        except InfrastructureError:
            if (found := jobs.find(submission.run)) is None:
                raise
            return found  # somebody else was quicker with the same name
    return Job(status="PENDING", options=_asked(submission), content=submission.content)


def _refuse_another(job: Job, submission: Submission) -> None:
    """The cluster keeps the digests of what it runs: the name may have been used from another machine."""
    if job.options != _asked(submission):
        raise _taken(submission, "a job of the cluster with other options")
    if job.content != submission.content:
        raise _taken(submission, "a job of the cluster with other files")


def _keep(folder: Path, submission: Submission, job: Job) -> None:
    write_submission(folder, submission)
    (folder / JOURNAL).touch()
    write_job(folder, Job(status="PENDING") if job.ended else job)  # followed once more to its end, it has a journal


def _asked(submission: Submission) -> str:
    words = [submission.file, submission.executor, *submission.options]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def _taken(submission: Submission, what: str) -> UsageError:
    hint = "choose another --run-id, or leave it out; what is committed is found under any"
    return UsageError(f"'{submission.run}' is the name of {what}", hint=hint)
