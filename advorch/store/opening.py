"""From a URL to a store, in any process."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from advorch.errors import StoreError
from advorch.store.api import DurableHook, Store
from advorch.store.backend import nothing

_HINT = "a store is a folder, or s3://bucket/prefix"


def open_store(url: str, *, cache: Path | None = None, on_durable: DurableHook = nothing) -> Store:
    """The store at a path, `file://` or `s3://` URL; `cache` is where a remote one keeps what it fetched."""
    scheme = urlsplit(url).scheme if "://" in url else ""
    if scheme in ("", "file"):
        from advorch.store.local import LocalStore

        return LocalStore(Path(unquote(urlsplit(url).path) if scheme else url), on_durable=on_durable)
    if scheme == "s3":
        from advorch.store.remote import RemoteStore

        return RemoteStore(url, cache=cache, on_durable=on_durable)
    raise StoreError(f"cannot keep a store at '{url}': '{scheme}' cannot write only if absent", hint=_HINT)
