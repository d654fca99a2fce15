"""Pipelines handed to a cluster of this machine: submitted, followed, stopped, found again, refused; tokens are on."""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from advorch.tracking.submission import Job, Submission, write_job, write_submission

Command = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[str]"]
Write = Callable[..., Path]

LAB = Path(__file__).parents[1] / "lab"

pytestmark = pytest.mark.ray


class Head(NamedTuple):
    """Where the cluster is, and what opens it."""

    dashboard: str
    address: str
    token: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    """One head node with tokens and a dashboard on 127.0.0.1; what was started is ended by its own ids."""
    root = Path(tempfile.mkdtemp(prefix="advt-", dir="/tmp"))  # short: Ray's socket paths have 107 bytes
    token = root / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    port, dashboard = free_port(), free_port()
    options = {
        "node-ip-address": "127.0.0.1", "port": port, "dashboard-host": "127.0.0.1", "dashboard-port": dashboard,
        "dashboard-agent-listen-port": free_port(), "ray-client-server-port": free_port(), "num-cpus": 2,
        "num-gpus": 2, "object-store-memory": 80 * 2**20, "temp-dir": root / "ray",
    }  # fmt: skip
    words = [f"--{name}={value}" for name, value in options.items()]
    ray = Path(sys.executable).parent / "ray"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "ADVORCH_"))}
    environment |= {
        "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), "RAY_USAGE_STATS_ENABLED": "0", "HOME": str(root),
        "TMPDIR": str(root), "PYTHONPATH": "", "PATH": f"{ray.parent}:{os.environ['PATH']}", "KNOWN": "s3cr3t",
    }  # fmt: skip
    with (root / "head.log").open("w") as log:
        started = subprocess.Popen(
            [ray, "start", "--head", "--block", "--include-dashboard=true", *words],
            env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    found = Head(f"http://127.0.0.1:{dashboard}", f"127.0.0.1:{port}", token)
    try:
        wait_until_up(found, started, root)
        yield found
    finally:
        end(started, root)


def wait_until_up(head: Head, started: "subprocess.Popen[bytes]", root: Path) -> None:
    until = time.monotonic() + 90
    headers = {"Authorization": f"Bearer {head.token.read_text()}"}
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(f"{head.dashboard}/api/jobs/", headers=headers), timeout=5)
        except (urllib.error.URLError, OSError):
            assert started.poll() is None, (root / "head.log").read_text()
            assert time.monotonic() < until, (root / "head.log").read_text()
            time.sleep(0.2)
        else:
            return


def end(started: "subprocess.Popen[bytes]", root: Path) -> None:
    """The group that we began, then whatever else was told of our folder: jobs and workers lead groups of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.wait(30)
    ours = [process for process in psutil.process_iter(["cmdline", "environ"]) if is_ours(process, str(root))]
    for process in ours:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(ours, timeout=10)
    shutil.rmtree(root, ignore_errors=True)


def is_ours(process: psutil.Process, root: str) -> bool:
    words, environment = process.info["cmdline"] or [], process.info["environ"] or {}
    return any(root in word for word in words) or environment.get("HOME") == root


@pytest.fixture
def cluster(head: Head, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Head:
    """The head, with its token at hand."""
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(head.token))
    return head


@pytest.fixture
def diary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not beside the pipeline, whose folder travels."""
    return tmp_path_factory.mktemp("diary") / "steps"


def walk(diary: Path, steps: int = 3, pause: float = 0.0, trouble: str = "") -> str:
    more = f", trouble: {trouble}" if trouble else ""
    return f"  a:\n    uses: train/walk\n    with: {{steps: {steps}, pause: {pause}, diary: {diary}{more}}}\n"


def steps(diary: Path) -> list[str]:
    return [line.split()[1] for line in diary.read_text().splitlines()] if diary.exists() else []


def wait_for_steps(diary: Path, number: int) -> None:
    until = time.monotonic() + 60
    while len(steps(diary)) < number:
        assert time.monotonic() < until, "the walk did not start"
        time.sleep(0.05)


def rows(answer: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(answer.out)
    return found


def is_one_line(answer: Any) -> bool:
    """A headline and a hint, nothing else, and the code of infrastructure."""
    heads = [line.split(":")[0].strip() for line in answer.err.splitlines()]
    return (answer.code, answer.out, heads) == (8, "", ["error", "hint"])


def submit(cluster: Head, path: Path, *more: str, executor: str = "inline") -> tuple[str | Path, ...]:
    """The cluster does not have the lab's plugin, so it travels."""
    own = ("--dashboard", cluster.dashboard, "--executor", executor, "--ship", "advorch-lab")
    return ("pipeline", "submit", path, *own, *more)


def test_submitted_followed_and_found_again(
    cluster: Head,
    workspace: Path,
    diary: Path,
    write_pipeline: Write,
    command_line: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write_pipeline(walk(diary))
    asked = submit(cluster, path, "--run-id", "first")
    answer = command_line(*asked, "-o", "json")
    assert answer.code == 0, answer.err
    [row] = rows(answer)
    assert (row["cell"], row["status"]) == ("a", "done")
    assert steps(diary) == ["1", "2", "3"]
    assert "a step 3" in answer.err or "a done" in answer.err
    folder = workspace / ".advorch" / "runs" / "first"
    before = (folder / "journal.jsonl").read_text()
    assert before.count("cell_finished") == 1

    again = command_line(*asked, "-o", "json")
    assert (again.code, rows(again)) == (0, [row])
    assert steps(diary) == ["1", "2", "3"], "found, not run again"
    (folder / "job.json").write_text((folder / "job.json").read_text().replace("SUCCEEDED", "RUNNING"))
    assert command_line("run", "logs", "-f", "first").code == 0
    assert (folder / "journal.jsonl").read_text() == before, "what was read is not taken twice"
    other = command_line(*asked, "-S", "seed=8")
    assert (other.code, other.out) == (2, "")
    assert "other options" in other.err
    path.write_text(path.read_text().replace("steps: 3", "steps: 4"))
    other = command_line(*asked)
    assert other.code == 2
    assert "other files" in other.err

    [listed] = rows(command_line("run", "list", "-o", "json"))
    assert (listed["run"], listed["state"], listed["exit_code"], listed["pipeline"]) == ("first", "done", 0, "lab")
    assert command_line("run", "show", "first").code == 0


def test_who_has_no_token_gets_one_line(
    cluster: Head, workspace: Path, write_pipeline: Write, command_line: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_pipeline(walk(workspace / "diary"))
    monkeypatch.setenv("RAY_AUTH_TOKEN", "nobodys")
    assert is_one_line(command_line("pipeline", "submit", path, "--dashboard", cluster.dashboard))
    assert is_one_line(command_line("pipeline", "submit", path, "--dashboard", "http://127.0.0.1:9"))
    folder = workspace / ".advorch" / "runs" / "open"
    known = Submission(
        run="open", dashboard=cluster.dashboard, pipeline="lab", file="p.yaml", options=(), content="", at=time.time()
    )
    write_submission(folder, known)
    write_job(folder, Job(status="RUNNING"))
    (folder / "journal.jsonl").touch()
    for asked in (("logs", "-f"), ("watch",), ("stop",)):
        assert is_one_line(command_line("run", *asked, "open"))
    shown = command_line("run", "list")
    assert (shown.code, "as it was last seen" in shown.err, "submitted" in shown.out) == (0, True, True)
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    forgotten = command_line("run", "logs", "-f", "open")
    assert is_one_line(forgotten)
    assert "does not know run open" in forgotten.err
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    nobody = command_line("pipeline", "submit", path, "--dashboard", cluster.dashboard)
    assert is_one_line(nobody)
    assert "wants a token" in nobody.err


@pytest.mark.long
def test_on_the_workers_of_the_cluster(
    cluster: Head, workspace: Path, diary: Path, write_pipeline: Write, command_line: Command
) -> None:
    second = "  sum:\n    uses: evaluate/join\n    in: {tables: [a.table]}\n"
    path = write_pipeline(walk(diary).replace("}", ", password: {secret: KNOWN}}", 1) + second)
    answer = command_line(*submit(cluster, path, "--run-id", "workers", "-o", "json", executor="ray"))
    assert answer.code == 0, answer.err
    assert [(row["cell"], row["status"]) for row in rows(answer)] == [("a", "done"), ("sum", "done")]
    assert steps(diary) == ["1", "2", "3"]
    told = [file.read_bytes() for file in (workspace / ".advorch" / "runs" / "workers").rglob("*") if file.is_file()]
    assert not any(b"s3cr3t" in text for text in told), "a secret is a name"
    assert command_line("run", "report", "workers").code == 0
    unset = write_pipeline(walk(diary).replace("}", ", password: {secret: UNKNOWN}}", 1), name="unset.yaml")
    answer = command_line(*submit(cluster, unset, "-S", "seed=9"))
    assert answer.code == 8
    assert "does not have the secrets UNKNOWN" in answer.err


@pytest.mark.long
def test_the_exit_code_is_the_runs_own(
    cluster: Head, workspace: Path, diary: Path, write_pipeline: Write, command_line: Command
) -> None:
    path = write_pipeline(walk(diary, trouble="user"))
    assert command_line(*submit(cluster, path, "--run-id", "fails", "-q")).code == 1
    assert command_line("run", "logs", "-f", "fails").code == 1
    logs = command_line("run", "logs", "fails", "--stage", "a")
    assert logs.out.strip(), "what the stage printed was brought here"
    [cell] = rows(command_line("run", "show", "fails", "-o", "json"))
    assert (cell["status"], cell["error_class"]) == ("failed", "user")

    (workspace / "more.yaml").write_text("params: {x: 1}\n")
    path = write_pipeline(walk(diary), head="include: [more.yaml]", name="included.yaml")
    assert command_line(*submit(cluster, path, "-q", "-S", "seed=11", "--exclude", "more.yaml")).code == 0
    environment = write_pipeline(walk(diary), head="env: [ONLY_HERE]\nname: ${env.ONLY_HERE}", name="env.yaml")
    text = environment.read_text().replace("name: lab\n", "")
    environment.write_text(text)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ONLY_HERE", "here")
        answer = command_line(*submit(cluster, environment))
    assert answer.code == 3, answer.err
    assert "ONLY_HERE" in answer.err, "why the driver refused it"


@pytest.mark.long
def test_stopped_from_here_and_gone_on_with(
    cluster: Head, diary: Path, write_pipeline: Write, command_line: Command, advorch: Start
) -> None:
    path = write_pipeline(walk(diary, steps=12, pause=0.5))
    answer = command_line(*submit(cluster, path, "--run-id", "stopped", "--no-follow", "-o", "json"))
    assert (answer.code, rows(answer)) == (0, [{"run": "stopped"}])
    assert rows(command_line("run", "list", "-o", "json"))[0]["state"] == "submitted"
    watcher = advorch("run", "watch", "stopped")
    wait_for_steps(diary, 3)
    stopped = command_line("run", "stop", "stopped")
    assert stopped.code == 0
    assert "was asked to stop" in stopped.err
    _, told = watcher.communicate(timeout=60)
    assert watcher.returncode == 6, told
    assert "a stopped" in told
    before = steps(diary)
    assert len(before) < 12
    assert command_line("run", "logs", "-f", "stopped").code == 6
    assert rows(command_line("run", "list", "-o", "json"))[0]["state"] == "stopped"
    assert command_line("run", "stop", "stopped").code == 0, "it has ended already"
    assert command_line(*submit(cluster, path, "--run-id", "again", "-q")).code == 0
    assert steps(diary) == [str(step) for step in range(1, 13)], "no step twice"


@pytest.mark.long
def test_a_follower_that_dies_and_one_that_comes_later_tell_the_same(
    cluster: Head, workspace: Path, diary: Path, write_pipeline: Write, command_line: Command, advorch: Start
) -> None:
    path = write_pipeline(walk(diary, steps=16, pause=0.5))
    first = advorch(*submit(cluster, path, "--run-id", "followed"))
    wait_for_steps(diary, 4)
    time.sleep(2.5)  # some of it has been told
    first.kill()
    first.communicate()
    both = [advorch("run", "logs", "-f", "followed") for _ in range(2)]
    for follower in both:
        follower.communicate(timeout=60)
    assert [follower.returncode for follower in both] == [0, 0]
    journal = (workspace / ".advorch" / "runs" / "followed" / "journal.jsonl").read_text().splitlines()
    reported = [json.loads(line)["step"] for line in journal if "cell_reported" in line]
    assert reported == list(range(1, 17))
    assert command_line("run", "show", "followed").code == 0


@pytest.mark.long
def test_a_driver_that_is_killed_has_no_code_of_its_own(
    cluster: Head, diary: Path, write_pipeline: Write, command_line: Command
) -> None:
    path = write_pipeline(walk(diary, steps=40, pause=0.5))
    assert command_line(*submit(cluster, path, "--run-id", "killed", "--no-follow")).code == 0
    wait_for_steps(diary, 2)
    named = [p for p in psutil.process_iter(["cmdline"]) if {"--run-id", "killed"} <= set(p.info["cmdline"] or [])]
    assert named
    for process in named:
        process.kill()
    assert command_line("run", "watch", "killed").code == 8
    [listed] = rows(command_line("run", "list", "-o", "json"))
    assert (listed["state"], listed["exit_code"]) == ("failed", 8)


@pytest.mark.long
def test_run_joins_a_cluster_whose_nodes_are_what_the_driver_is(
    cluster: Head, workspace: Path, diary: Path, write_pipeline: Write, advorch: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_pipeline(walk(diary))
    other = advorch("pipeline", "run", path, "--address", cluster.address)
    out, told = other.communicate(timeout=90)
    assert (other.returncode, out) == (8, "")
    assert re.search(r"advorch-lab: nothing there, 1\.0 \[\w+\] here \([\d.]+\)", told), told
    monkeypatch.delenv("PYTHONPATH")
    erm = "    uses: train/erm\n    in: {data: d.fit}\n    with: {model: {uses: linear}}\n    resources: {gpus: 2}\n"
    head = "data: {d: {uses: digits, splits: {fit: train}}}"
    plain = write_pipeline(f"  a:\n{erm}  b:\n    seed: 1\n{erm}", head=head, name="plain.yaml")
    run = advorch("pipeline", "run", plain, "--address", cluster.address, "-k", "--run-id", "joined")
    _, told = run.communicate(timeout=90)
    assert "b waits for 2 gpu, 0 gpu free" in told, told
    assert "given GPU '0,1' but torch" in told, "the cluster's GPUs are make-believe"
    assert (workspace / ".advorch" / "runs" / "joined" / "driver.json").exists()
    monkeypatch.setenv("RAY_AUTH_TOKEN", "nobodys")
    refused = advorch("pipeline", "run", plain, "--address", cluster.address)
    out, told = refused.communicate(timeout=30)
    assert (refused.returncode, out) == (8, "")
    assert f"{cluster.address} refuses the token of RAY_AUTH_TOKEN" in told
