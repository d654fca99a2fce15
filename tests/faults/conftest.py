"""Clusters of several raylets on this machine, each in a process group of its own, and runs on them."""

import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

LAB = Path(__file__).parents[1] / "lab"
RAYLETS = Path(__file__).parent / "raylets.py"
ANSWER_SECONDS = 90.0


class Nodes:
    """The far end of `raylets.py`."""

    def __init__(self, folder: Path, nodes: list[dict[str, float]]) -> None:
        (folder.parent / "ray").mkdir(exist_ok=True)
        command = [sys.executable, str(RAYLETS), str(folder), *map(json.dumps, nodes)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True,
            env={**os.environ, "RAY_TMPDIR": str(folder.parent)},  # where Ray leaves its address for whoever comes next
        )  # fmt: skip
        self.address = self._answer()

    def order(self, what: str, argument: object) -> None:
        """Returns when it is done."""
        assert self._process.stdin
        self._process.stdin.write(f"{what} {json.dumps(argument)}\n")
        self._process.stdin.flush()
        self._answer()

    def close(self) -> None:
        """Whatever is left of the group goes with it."""
        assert self._process.stdin
        try:
            self._process.stdin.write("quit\n")
            self._process.stdin.close()
            self._process.wait(timeout=20)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            pass
        end_group(self._process.pid)
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _answer(self) -> str:
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_SECONDS)
        line = self._process.stdout.readline().strip() if ready else ""
        assert line, "the raylets do not answer"
        return line


def end_group(pid: int) -> None:
    """Kill every process of the group that the process leads, and led."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@pytest.fixture
def short_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Private, and short enough for Ray's sockets; holds the token that clusters and runs of the test share."""
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir="/tmp"))
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(LAB), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def raylets(short_folder: Path) -> Iterator[Callable[..., Nodes]]:
    """Start a head and more nodes, by their resources."""
    started: list[Nodes] = []

    def start(*nodes: dict[str, float]) -> Nodes:
        started.append(Nodes(short_folder / f"ray{len(started)}", list(nodes)))
        return started[-1]

    yield start
    for one in started:
        one.close()


class Runs:
    """Runs of one pipeline in one workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []

    def write(self, text: str, name: str = "pipeline.yaml") -> Path:
        """Below a standard head."""
        path = self.folder / name
        path.write_text(f"version: 1\nname: lab\nseed: 7\ntracking: {{mlflow: false}}\n{text}")
        return path

    def start(self, path: Path, *options: str, home: str = ".advorch") -> "subprocess.Popen[str]":
        """The command line, in a session of its own."""
        code = "from advorch.cli.app import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", code, "pipeline", "run", str(path), "-o", "json", *options],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "ADVORCH_HOME": str(self.folder / home)},
        )  # fmt: skip
        self.started.append(process)
        return process

    def until(self, process: "subprocess.Popen[str]", true: Callable[[], bool], seconds: float = 90) -> float:
        """Seconds that it took, in a run that goes on meanwhile."""
        began = time.monotonic()
        while not true():
            if process.poll() is not None or time.monotonic() - began > seconds:
                process.kill()
                pytest.fail(f"it did not come to that; {process.returncode}: {process.communicate()[1]}")
            time.sleep(0.05)
        return time.monotonic() - began

    def finish(self, process: "subprocess.Popen[str]", code: int, seconds: float = 150) -> str:
        """What it said to people; it must end so."""
        out, said = process.communicate(timeout=seconds)
        assert process.returncode == code, said
        self.rows = {row["cell"]: row for row in json.loads(out)} if out.strip() else {}
        return said

    def outputs(self, home: str = ".advorch") -> dict[str, Any]:
        """What each key came to, by content."""
        manifests = [
            json.loads(path.read_text()) for path in (self.folder / home / "store").glob("manifests/**/*.json")
        ]
        return {one["key"]: (one["outputs"], one["metrics"]) for one in manifests}


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    """A workspace; what still runs at the end is killed by its own pid."""
    made = Runs(tmp_path)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
        process.communicate()
