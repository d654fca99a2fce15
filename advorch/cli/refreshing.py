"""Bringing submitted runs up to date before they are shown, and stopping them."""

from pathlib import Path

from advorch.cli.render import say, suggest
from advorch.errors import InfrastructureError
from advorch.tracking.submission import FILE, read_job, read_submission


def refresh_open(runs: Path) -> None:
    """Every submitted run that has not ended; a cluster that does not answer is asked once."""
    silent: set[str] = set()
    for folder in sorted(path.parent for path in runs.glob(f"*/{FILE}")):
        submission = read_submission(folder)
        if submission is not None and submission.dashboard not in silent and not refresh_one(folder):
            silent.add(submission.dashboard)


def refresh_one(folder: Path) -> bool:
    """One run; what is known of it here is shown though its cluster is away. Whether the cluster answered."""
    job = read_job(folder)
    if job is None or job.ended:
        return True
    from advorch.session.remote import refresh

    try:
        refresh(folder)
    except InfrastructureError as error:
        say(f"run {folder.name} as it was last seen: {error.message}")
        return False
    return True


def stop_submitted(folder: Path) -> None:
    """Ask a run on a cluster to stop."""
    from advorch.session.remote import stop

    if stop(folder):
        say(f"run {folder.name} was asked to stop; running stages write a checkpoint first")
        suggest(f"advorch run logs -f {folder.name}", f"advorch run show {folder.name}")
    else:
        say(f"run {folder.name} is not running any more")
