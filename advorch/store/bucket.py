"""The few requests that a store makes of S3, through s3fs; what is refused becomes a StoreError with a hint."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from advorch.errors import StoreError
from advorch.store.backend import Entry, Seen

_CONDITION_FAILED = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409", "NoSuchKey", "404"}
_CREDENTIALS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, to one that may read and write there"
_NETWORK = "check the network, and AWS_ENDPOINT_URL or ?endpoint=URL if the server is not Amazon's"
_TIMEOUTS = {"connect_timeout": 5, "read_timeout": 30, "retries": {"max_attempts": 2, "mode": "standard"}}
_TRIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`s3://bucket/prefix`, with `?endpoint=https://...` for a server that is not Amazon's."""

    bucket: str
    prefix: str
    endpoint: str | None = None

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read a URL; one without a bucket, or with other options, is refused."""
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        if not parts.netloc or set(query) - {"endpoint"}:
            raise StoreError(f"'{url}' is no store", hint="write s3://bucket/prefix, with ?endpoint=URL if need be")
        endpoint = query["endpoint"][0] if query else None
        return cls(bucket=parts.netloc, prefix=parts.path.strip("/"), endpoint=endpoint)

    def key(self, name: str) -> str:
        """The object key of a name in the store."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def path(self, name: str) -> str:
        """The same as s3fs spells it."""
        return f"{self.bucket}/{self.key(name)}"


class Bucket:
    """One prefix of one bucket."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._at = Address.parse(url)
        self._fs = _file_system(self._at.endpoint)

    def get(self, name: str) -> Seen | None:
        """A small object, with its ETag and the server's time."""
        from fsspec.asyn import sync

        with self._refusals():
            try:
                found, data = sync(self._fs.loop, _read, self._fs, self._at.bucket, self._at.key(name))
            except FileNotFoundError as error:
                _check_bucket(error)
                return None
        return _seen(found, data)

    def head(self, name: str) -> tuple[Entry, float] | None:
        """An object's size and age, and the server's time."""
        with self._refusals():
            try:
                found = self._call("head_object", name)
            except FileNotFoundError as error:
                _check_bucket(error)
                return None
        return Entry(name, found["ContentLength"], found["LastModified"].timestamp() // 1), _date(found)

    def put(self, name: str, data: bytes, **condition: str) -> Seen | None:
        """Write a small object; None if the condition, `IfNoneMatch` or `IfMatch`, does not hold."""
        with self._refusals():
            try:
                found = self._call("put_object", name, Body=data, **condition)
            except OSError as error:
                if condition and _code(error) in _CONDITION_FAILED:
                    return None
                raise
        return _seen(found, data)

    def delete(self, name: str) -> None:
        """Delete an object; one that is gone already is fine."""
        with self._refusals():
            self._call("delete_object", name)

    def listing(self, folder: str) -> Iterator[Entry]:
        """Every object under a folder."""
        token: dict[str, str] = {}
        prefix, skip = self._at.key(f"{folder}/"), len(self._at.key(""))
        while True:
            with self._refusals():
                page = self._fs.call_s3("list_objects_v2", Bucket=self._at.bucket, Prefix=prefix, **token)
            for item in page.get("Contents", ()):
                yield Entry(item["Key"][skip:], item["Size"], item["LastModified"].timestamp() // 1)
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def upload(self, path: Path, name: str) -> None:
        """Write a file of any size."""
        with self._refusals():
            self._fs.put_file(str(path), self._at.path(name))

    def download(self, name: str, path: Path) -> bool:
        """Read a file of any size; False if there is none."""
        with self._refusals():
            try:
                self._fs.get_file(self._at.path(name), str(path))
            except FileNotFoundError as error:
                _check_bucket(error)
                return False
        return True

    def copy(self, name: str, target: str) -> bool:
        """Copy within the bucket; False if there is none."""
        with self._refusals():
            try:
                self._fs.cp_file(self._at.path(name), self._at.path(target))
            except FileNotFoundError as error:
                _check_bucket(error)
                return False
        return True

    def _call(self, method: str, name: str, **arguments: object) -> Any:
        return self._fs.call_s3(method, Bucket=self._at.bucket, Key=self._at.key(name), **arguments)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        from aiohttp import ClientError as TransferError
        from botocore.exceptions import BotoCoreError

        try:
            yield
        except (OSError, BotoCoreError, TransferError) as error:
            raise StoreError(f"the store at {self._url} failed: {_told(error)}", hint=_hint(error)) from error


def _file_system(endpoint: str | None) -> Any:
    try:
        import s3fs
    except ImportError as error:
        raise StoreError("a store on S3 needs s3fs", hint="pip install 'advorch[s3]'") from error
    system = s3fs.S3FileSystem(endpoint_url=endpoint, config_kwargs=_TIMEOUTS, use_listings_cache=False)
    system.retries = _TRIES
    return system


async def _read(fs: Any, bucket: str, key: str) -> tuple[Any, bytes]:
    found = await fs._call_s3("get_object", Bucket=bucket, Key=key)
    async with found["Body"] as body:
        return found, await body.read()


def _seen(found: Any, data: bytes) -> Seen:
    clock = _date(found)
    written = found["LastModified"].timestamp() if "LastModified" in found else clock
    return Seen(data=data, version=found["ETag"], modified=written, clock=clock)


def _date(found: Any) -> float:
    return parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()


def _check_bucket(error: FileNotFoundError) -> None:
    """A missing object is an answer; a missing bucket is trouble."""
    if _code(error) == "NoSuchBucket":
        raise error


def _code(error: BaseException) -> str:
    response = getattr(error.__cause__ or error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _told(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _hint(error: Exception) -> str:
    if isinstance(error, PermissionError) or "Credential" in type(error).__name__:
        return _CREDENTIALS
    if _code(error) == "NoSuchBucket":
        return "create the bucket first, or correct its name in the storage URL"
    if _code(error) in {"NotImplemented", "501"}:
        return "this server lacks what a store needs; use one with conditional writes, or a folder"
    return _NETWORK
