"""Following a run from outside its driver: its changes as they come, until it ends, with its exit code."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from advorch.cli.render import say
from advorch.events import Status
from advorch.tracking.console import open_console
from advorch.tracking.journal import FILE, read
from advorch.tracking.liveness import Life, life
from advorch.tracking.runs import RunRecord, apply, ended_with, load_run
from advorch.tracking.submission import read_submission

POLL = 0.2
NOT_ENDED = 8  # the run has no code of its own: its driver went away

Check = Callable[[], None]


def nothing_to_check() -> None:
    """For a run that is driven on this machine: its folder is all there is."""


@contextmanager
def following(folder: Path) -> Iterator[Check]:
    """While inside, the folder of a submitted run is kept up to date; calling the result raises if it cannot be."""
    if read_submission(folder) is None:
        yield nothing_to_check
        return
    from advorch.session.remote import Follower

    yield Follower(folder).check


def watch_run(folder: Path, check: Check, *, quiet: bool = False) -> int | None:
    """Say every change of a run until it ends; its exit code, or None if its driver went away."""
    record = RunRecord(folder=folder, run=folder.name, life=life(folder))
    console = open_console(sys.stderr, os.environ, quiet=quiet)
    offset = 0
    try:
        while True:
            check()
            gone = life(folder) is Life.DEAD
            for entry in read(folder / FILE, offset):
                offset = entry.offset
                apply(record, entry.event, entry.at)
                console.emit(entry.event)
            if (code := ended(folder, record, gone=gone)) is not None or gone:
                return code
            time.sleep(POLL)
    finally:
        console.close()


def ended(folder: Path, record: RunRecord, *, gone: bool) -> int | None:
    """The run's exit code once it has one; what was submitted has ended when its job has."""
    if read_submission(folder) is not None and not gone:
        return None
    return ended_with(folder, record.exit_code)


def last_words(folder: Path, code: int | None) -> int:
    """Say what a follower should know of the end, and return the code to leave with."""
    if code is None:
        say("the run has not ended in order: its driver is gone", "what was committed stays; run the pipeline again")
    say_why_it_ended(folder, load_run(folder))
    say_where_results_are(folder)
    return NOT_ENDED if code is None else code


def say_where_results_are(folder: Path) -> None:
    """A warning where a dashboard seemed to be of this machine and was not."""
    submission = read_submission(folder)
    if submission is None:
        return
    from advorch.session.remote import strange_host

    if host := strange_host(folder):
        say(f"warning: the driver ran on {host}, and {submission.storage} is a folder of that machine")


def say_why_it_ended(folder: Path, record: RunRecord) -> None:
    """What the driver of a submitted run wrote besides events, if it ended badly and no stage did."""
    bad = {Status.FAILED.value, Status.STOPPED.value}
    told = any(cell.status in bad for cell in record.cells.values())
    if read_submission(folder) is None or not record.exit_code or told:
        return
    from advorch.session.remote import explanation

    say(*(f"  {line}" for line in explanation(folder)))
