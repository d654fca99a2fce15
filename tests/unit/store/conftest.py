"""Stores of both kinds to try the same promises on."""

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from advorch.artifacts import Artifact, ArtifactType, Output
from advorch.store.api import Owner
from advorch.store.content import ContentStore
from advorch.store.local import LocalStore
from advorch.store.manifest import Manifest

Opener = Callable[..., ContentStore]


@dataclass
class Kit:
    """What a test of a store does all the time."""

    folder: Path
    url: str
    opener: Opener
    damage: Callable[[str, Callable[[bytes], bytes | None]], None]
    owner: Owner = field(default_factory=lambda: Owner(run="run-1", host="here", pid=1, started=0.0))

    def open(self, **options: Any) -> ContentStore:
        return self.opener(**options)

    def file(self, content: str, name: str = "data.txt") -> Path:
        path = self.folder / "made" / uuid.uuid4().hex / name
        path.parent.mkdir(parents=True)
        path.write_text(content)
        return path

    def artifact(self, store: ContentStore, content: str) -> Artifact:
        folder = self.file(content).parent
        (folder / "deep").mkdir()
        (folder / "deep" / "other.bin").write_bytes(content.encode() * 3)
        return store.put_output(Output(type=ArtifactType.MODEL, folder=folder, meta={"shape": [1, 2]}))

    def manifest(self, key: str, artifact: Artifact, **values: Any) -> Manifest:
        values = {"run": "run-1", "created": 5.0, "metrics": {"accuracy": 0.5}} | values
        return Manifest(key=key, parts={"a": 1}, component="train/erm", outputs={"model": artifact}, **values)

    def committed(self, store: ContentStore, key: str, content: str, **values: Any) -> Manifest:
        return store.commit(self.manifest(key, self.artifact(store, content), **values))


def local_kit(folder: Path) -> Kit:
    root = folder / "store"

    def damage(name: str, change: Callable[[bytes], bytes | None]) -> None:
        path = root / name
        changed = change(path.read_bytes())
        path.unlink()
        if changed is not None:
            path.write_bytes(changed)

    def opener(cache: Path | None = None, **options: Any) -> ContentStore:
        return LocalStore(root, **options)

    return Kit(folder, str(root), opener, damage)


@pytest.fixture
def local(tmp_path: Path) -> Kit:
    return local_kit(tmp_path)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    from moto.s3.responses import S3Response
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    put, lock = S3Response.put_object, threading.Lock()

    def atomic_put(self: Any) -> Any:  # S3 checks and writes in one step; moto needs to be told
        with lock:
            return put(self)

    S3Response.put_object = atomic_put
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    S3Response.put_object = put


@pytest.fixture(scope="session")
def bucket_client(s3_server: str) -> Any:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=s3_server,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="bucket")
    return client


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def s3(tmp_path: Path, s3_server: str, bucket_client: Any, credentials: None) -> Kit:
    from advorch.store.remote import RemoteStore

    client = bucket_client
    prefix = uuid.uuid4().hex
    url = f"s3://bucket/{prefix}?endpoint={s3_server}"

    def damage(name: str, change: Callable[[bytes], bytes | None]) -> None:
        key = f"{prefix}/{name}"
        changed = change(client.get_object(Bucket="bucket", Key=key)["Body"].read())
        client.delete_object(Bucket="bucket", Key=key)
        if changed is not None:
            client.put_object(Bucket="bucket", Key=key, Body=changed)

    def opener(cache: Path | None = None, below: str = "", **options: Any) -> ContentStore:
        return RemoteStore(url.replace("?", f"/{below}?"), cache=cache or tmp_path / "cache", **options)

    return Kit(tmp_path, url, opener, damage)


@pytest.fixture(params=["local", "s3"])
def kit(request: pytest.FixtureRequest) -> Kit:
    """The same promises for a folder and a bucket."""
    made: Kit = request.getfixturevalue(request.param)
    return made
