"""Files that appear whole or not at all, on one file system, and outlive a power cut."""

import contextlib
import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from advorch.errors import StoreError
from advorch.store.layout import TEMPORARY

_BLOCK = 1 << 20
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES}
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES}
_HINTS = {
    errno.ENOSPC: "free some space there (`advorch cache gc`), or name another store with --storage",
    errno.EDQUOT: "your quota is spent: free some space (`advorch cache gc`), or name another store with --storage",
    errno.EACCES: "make the folder writable, or name another store with --storage or ADVORCH_HOME",
    errno.EPERM: "make the folder writable, or name another store with --storage or ADVORCH_HOME",
    errno.EROFS: "the file system is read-only: name another store with --storage or ADVORCH_HOME",
    errno.ENOTDIR: "part of the path is a file: name another store with --storage or ADVORCH_HOME",
}


@contextmanager
def refusals(root: Path) -> Iterator[None]:
    """What the operating system refuses, as one line with a hint."""
    try:
        yield
    except OSError as error:
        where = error.filename or root
        hint = _HINTS.get(error.errno or 0, "check the disk and its mount")
        raise StoreError(f"the store at {root} failed: {error.strerror or error}: {where}", hint=hint) from error


@contextmanager
def temporary(root: Path) -> Iterator[Path]:
    """A unique name in the store's own file system; what is left under it afterwards is removed."""
    path = root / TEMPORARY / f"{os.getpid()}-{uuid.uuid4().hex}"
    make_folder(path.parent)
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            path.unlink(missing_ok=True)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file that nobody else knows of yet, down to the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def copy_hashed(source: Path, target: Path) -> tuple[str, int]:
    """Copy and hash in one pass, so that the digest is that of the bytes in the copy."""
    sha, size = hashlib.sha256(), 0
    with source.open("rb") as reader, target.open("wb") as writer:
        while block := reader.read(_BLOCK):
            writer.write(block)
            sha.update(block)
            size += len(block)
    return sha.hexdigest(), size


def hash_file(path: Path) -> str:
    """Sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_file(path: Path) -> None:
    """Down to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable, where its file system can."""
    try:
        sync_file(folder)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def make_folder(folder: Path) -> None:
    """Create a folder and what is above it, each name durable."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        sync_folder(folder.parent)


def link_new(source: Path, target: Path) -> bool:
    """Give a finished file its final name unless that is taken; the link is atomic, also on NFS."""
    try:
        os.link(source, target)
    except FileExistsError:
        return source.stat().st_nlink > 1 and source.samefile(target)  # a repeated request of a network file system
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _copy_new(source, target)
    return True


def link_or_copy(source: Path, target: Path) -> None:
    """The same bytes under a second name, replacing what is there; a copy where links are refused."""
    make_parent(target)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(source, target)
        target.chmod(0o444)


def make_parent(path: Path) -> None:
    """A scratch folder: need not outlive a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)


def _copy_new(source: Path, target: Path) -> bool:
    """Without links, creation is exclusive but not atomic: a torn file is found by its reader and set aside."""
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "wb") as file:
        file.write(source.read_bytes())
        file.flush()
        os.fsync(file.fileno())
    return True
