"""Pipelines whose results live in a bucket: the same bytes as in a folder, found again, resumed, listed, repaired."""

import json
import logging
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import advorch
from advorch.session.running import Options
from advorch.session.workspace import Workspace

Command = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[str]"]
Write = Callable[..., Path]

WALKS = """
  a:
    uses: train/walk
    with: {steps: 3, diary: DIARY}
  b:
    uses: train/walk
    seed: 1
    with: {steps: 3, diary: DIARY}
  sum:
    uses: evaluate/join
    in: {tables: [a.table, b.table]}
"""

DIGITS = """\
version: 1
name: digits
data: {digits: {uses: digits, splits: {fit: "train[:300]", final: "test[:40]"}}}
tracking: {mlflow: false}
stages:
  plain:
    uses: train/erm
    in: {data: digits.fit}
    with: {model: {uses: linear}, epochs: 1}
  hit:
    uses: attack/pgd
    in: {model: plain.model, data: digits.final}
    with: {epsilon: 0.1, steps: 2}
  report:
    uses: evaluate/robustness
    in: {models: [plain.model], attacks: [hit.adversarial], data: digits.final}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """An object store on this machine; S3 checks and writes in one step, and moto needs to be told."""
    from moto.s3.responses import S3Response
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    put, lock = S3Response.put_object, threading.Lock()

    def atomic_put(self: Any) -> Any:
        with lock:
            return put(self)

    S3Response.put_object = atomic_put
    started = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    yield f"http://{host}:{port}"
    started.stop()
    S3Response.put_object = put


@pytest.fixture(scope="module")
def client(server: str) -> Any:
    import boto3

    words = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    made = boto3.client("s3", endpoint_url=server, **words)
    made.create_bucket(Bucket="bucket")
    return made


@pytest.fixture
def storage(server: str, client: Any, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place of its own in the bucket, and credentials that open nothing else."""
    for name, value in {
        "XDG_CACHE_HOME": str(workspace / "cache"),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }.items():
        monkeypatch.setenv(name, value)
    return f"s3://bucket/{uuid.uuid4().hex}?endpoint={server}"


def walks(workspace: Path) -> str:
    return WALKS.replace("DIARY", str(workspace / "diary"))


def diary(workspace: Path) -> list[str]:
    path = workspace / "diary"
    return [line.split()[1] for line in path.read_text().splitlines()] if path.exists() else []


def rows(answer: Any) -> list[dict[str, Any]]:
    assert answer.code == 0, answer.err
    found: list[dict[str, Any]] = json.loads(answer.out)
    return found


def outputs(done: Any) -> dict[str, Any]:
    return {cell: {port: item.digest for port, item in found.outputs.items()} for cell, found in done.manifests.items()}


def test_run_find_list_and_recompute_nothing(
    storage: str, workspace: Path, write_pipeline: Write, command_line: Command, client: Any
) -> None:
    path = write_pipeline(walks(workspace), head=f'storage: "{storage}"')
    run = ("pipeline", "run", path, "--executor", "inline", "-o", "json")
    assert {row["status"] for row in rows(command_line(*run))} == {"done"}
    assert {row["status"] for row in rows(command_line(*run))} == {"cached"}
    assert len(diary(workspace)) == 6
    assert not (workspace / ".advorch" / "store").exists(), "nothing is kept here"
    assert command_line("pipeline", "plan", path, "--detailed-exitcode").code == 0
    listed = rows(command_line("cache", "list", "--storage", storage, "-o", "json"))
    assert sorted(row["component"] for row in listed) == ["evaluate/join", "train/walk", "train/walk"]
    assert rows(command_line("cache", "list", "-o", "json")) == [], "the local store is another"
    assert command_line("cache", "verify", "--storage", storage).code == 0
    prefix = storage.partition("?")[0].rpartition("/")[2]
    kept = [item["Key"] for item in client.list_objects_v2(Bucket="bucket", Prefix=prefix)["Contents"]]
    assert not [key for key in kept if "claim" in key or "stop" in key], "no claim stays behind"


def test_another_machine_finds_it_too(
    storage: str, workspace: Path, write_pipeline: Write, command_line: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_pipeline(walks(workspace), head=f'storage: "{storage}"')
    run = ("pipeline", "run", path, "--executor", "inline", "-o", "json")
    first = rows(command_line(*run))
    for name in ("ADVORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(workspace / "elsewhere" / name))
    second = rows(command_line(*run))
    assert {row["status"] for row in second} == {"cached"}
    assert [row.get("total") for row in first] == [row.get("total") for row in second]


def test_damage_in_the_bucket_is_found_and_repaired(
    storage: str, workspace: Path, write_pipeline: Write, command_line: Command, client: Any
) -> None:
    path = write_pipeline(walks(workspace), head=f'storage: "{storage}"')
    run = ("pipeline", "run", path, "--executor", "inline", "-o", "json")
    before = rows(command_line(*run))
    prefix = storage.partition("?")[0].rpartition("/")[2]
    for item in client.list_objects_v2(Bucket="bucket", Prefix=f"{prefix}/objects")["Contents"]:
        client.put_object(Bucket="bucket", Key=item["Key"], Body=b"\0" * item["Size"])
    assert command_line("cache", "verify", "--storage", storage).code != 0
    after = rows(command_line(*run))
    assert [row.get("end") for row in after] == [row.get("end") for row in before]
    assert command_line("cache", "verify", "--storage", storage).code == 0


def test_the_digests_are_those_of_a_folder(storage: str, workspace: Path) -> None:
    (workspace / "here.yaml").write_text(DIGITS)
    (workspace / "there.yaml").write_text(f'{DIGITS}storage: "{storage}"\n')
    options = Options(executor="inline", quiet=True)
    here = advorch.load("here.yaml", workspace=Workspace(workspace / "home")).plan().run(options)
    there = advorch.load("there.yaml", workspace=Workspace(workspace / "other")).plan().run(options)
    assert here.exit_code == there.exit_code == 0
    assert outputs(here) == outputs(there)
    assert here.metrics == there.metrics
    assert {cell: found.key for cell, found in here.manifests.items() if found} == {
        cell: found.key for cell, found in there.manifests.items() if found
    }
    assert there.report("report").read_text().startswith("<!")
    assert len(there.table("report"))


@pytest.mark.parametrize("ending", [(signal.SIGINT, 6), (signal.SIGKILL, -9)], ids=["interrupted", "killed"])
def test_an_interrupted_run_goes_on_where_it_was(
    storage: str, workspace: Path, write_pipeline: Write, advorch: Start, command_line: Command, ending: tuple[int, int]
) -> None:
    number, code = ending
    stage = f"  a:\n    uses: train/walk\n    with: {{steps: 6, pause: 0.3, diary: {workspace / 'diary'}}}\n"
    path = write_pipeline(stage, head=f'storage: "{storage}"')
    first = advorch("pipeline", "run", path, "--executor", "inline")
    until = time.monotonic() + 60
    while len(diary(workspace)) < 3:
        assert time.monotonic() < until
        assert first.poll() is None, first.communicate()
        time.sleep(0.05)
    first.send_signal(number)
    first.communicate(timeout=60)
    assert first.returncode == code
    assert len(diary(workspace)) < 6
    again = command_line("pipeline", "run", path, "--executor", "inline", "-o", "json")
    assert [row["status"] for row in rows(again)] == ["done"]
    steps = diary(workspace)
    assert sorted(set(steps)) == ["1", "2", "3", "4", "5", "6"]
    assert len(steps) <= 6 + (number == signal.SIGKILL), f"only the step that was not committed is done again: {steps}"


def test_a_bucket_that_is_not_there_is_infrastructure(
    storage: str, workspace: Path, write_pipeline: Write, command_line: Command
) -> None:
    path = write_pipeline(walks(workspace), head=f'storage: "{storage.replace("bucket", "nobodys", 1)}"')
    answer = command_line("pipeline", "run", path, "--executor", "inline")
    assert (answer.code, answer.out) == (8, "")
    assert not (workspace / ".advorch" / "runs").exists(), "nothing was begun"
    assert "nobodys" in answer.err
    assert "Traceback" not in answer.err


def test_a_server_that_is_not_there_is_infrastructure(
    storage: str, workspace: Path, write_pipeline: Write, command_line: Command
) -> None:
    path = write_pipeline(walks(workspace), head='storage: "s3://bucket/x?endpoint=http://127.0.0.1:9"')
    answer = command_line("pipeline", "run", path, "--executor", "inline")
    assert (answer.code, answer.out) == (8, "")
    assert not (workspace / ".advorch" / "runs").exists(), "nothing was begun"
    assert "127.0.0.1:9" in answer.err
    assert "Traceback" not in answer.err
