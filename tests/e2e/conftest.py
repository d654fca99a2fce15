"""A workspace of its own for every test, and pipelines of the lab's stages."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

LAB = Path(__file__).parents[1] / "lab"
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with its own `.advorch` and the lab's plugin in sight of workers too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ADVORCH_HOME", raising=False)
    monkeypatch.syspath_prepend(str(LAB))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(LAB), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
    return tmp_path


class Answer(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Answer]:
    """Run the command line in this process, in an empty folder with its own `.advorch`."""
    from advorch.cli.app import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ADVORCH_HOME", raising=False)

    def call(*arguments: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["advorch", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return Answer(int(left.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with the agreed one; what plugins offer, and a ninth name, are left out."""

    def compare(name: str, text: str) -> None:
        steady = re.sub(r"(offers: |(?:[\w.-]+, ){8})[\w., -]+", r"\1...", text)
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("ADVORCH_WRITE_GOLDEN"):
            path.write_text(steady)
        assert steady == path.read_text()

    return compare


@pytest.fixture
def write_pipeline(workspace: Path) -> Callable[[str], Path]:
    """Write stages below a standard head, without tracking."""

    def write(stages: str, head: str = "", name: str = "pipeline.yaml") -> Path:
        path = workspace / name
        path.write_text(f"version: 1\nname: lab\nseed: 7\ntracking: {{mlflow: false}}\n{head}\nstages:\n{stages}")
        return path

    return write


@pytest.fixture
def advorch(workspace: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start the command line in the workspace; whatever still runs at the end is killed by its own pid."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", "from advorch.cli.app import main; main()", *map(str, arguments)]
        process = subprocess.Popen(
            command, cwd=workspace, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
