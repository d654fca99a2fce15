"""What runs are called, and that no two share a name."""

import re
import secrets
import time
from pathlib import Path

from advorch.errors import UsageError
from advorch.session.workspace import Workspace
from advorch.tracking.journal import FILE as JOURNAL
from advorch.tracking.runs import LAST

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_run_id(name: str) -> str:
    """A name that can be a folder, a job and a word of a command line."""
    if not RUN_ID.fullmatch(name) or name == LAST:
        hint = f"letters, digits, `-`, `_` and `.`, beginning with a letter or digit, and not `{LAST}`"
        raise UsageError(f"'{name}' cannot be the name of a run", hint=hint)
    return name


def new_run_folder(workspace: Workspace, run: str) -> Path:
    """Where a run that is about to begin keeps its journal; a name is used once."""
    folder = workspace.runs / check_run_id(run)
    if (folder / JOURNAL).exists():
        hint = f"look at it with `advorch run show {run}`, or choose another name"
        raise UsageError(f"there is a run '{run}' already", hint=hint)
    return folder


def name_run(now: float) -> str:
    """The second, its fraction in three hexadecimal digits, and a random one: names sort as runs began."""
    fraction = int(now % 1 * 16**3)
    return f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}-{fraction:03x}{secrets.token_hex(1)[0]}"
