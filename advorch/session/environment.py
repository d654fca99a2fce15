"""What a manifest remembers of the machine and the code that made it; none of it enters a key."""

import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from advorch.canonical import Json

DISTRIBUTIONS = ("advorch", "torch", "numpy", "ray", "safetensors")


def environment(folder: Path, plugins: Mapping[str, str]) -> dict[str, Json]:
    """Versions, plugins, platform, and the commit of the folder that the pipeline lies in."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": platform.node(),
        "distributions": {name: _version(name) for name in DISTRIBUTIONS},
        "plugins": dict(plugins),
        "commit": commit(folder),
    }


def commit(folder: Path) -> str:
    """The git commit of a folder, with a plus sign when files differ from it; empty outside a repository."""
    head = _git(folder, "rev-parse", "HEAD")
    return head + "+" * bool(head and _git(folder, "status", "--porcelain", "--untracked-files=no"))


def _git(folder: Path, *arguments: str) -> str:
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
