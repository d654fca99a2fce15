"""Where things lie in a store, as names with forward slashes under its root."""

import re
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

from advorch.errors import CorruptObject

MANIFESTS, PARTIALS, CLAIMS, FLAGS, OBJECTS = "manifests", "partials", "claims", "flags", "objects"
QUARANTINE, TEMPORARY, ATTEMPTS = "quarantine", "tmp", "attempts"

_KEY = re.compile(r"[A-Za-z0-9][\w.=+-]*")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SUFFIX = ".json"


def manifest_name(key: str) -> str:
    """`manifests/ab/<key>.json`."""
    return f"{MANIFESTS}/{key[:2]}/{_checked(key)}{_SUFFIX}"


def claim_name(key: str) -> str:
    """`claims/<key>.json`."""
    return f"{CLAIMS}/{_checked(key)}{_SUFFIX}"


def partial_folder(key: str) -> str:
    """`partials/<key>`."""
    return f"{PARTIALS}/{_checked(key)}"


def partial_name(key: str, name: str) -> str:
    """`partials/<key>/<name>.json`, whatever characters the name holds."""
    return f"{partial_folder(key)}/{quote(name, safe='')}{_SUFFIX}"


def flag_name(name: str) -> str:
    """`flags/a/b.flag`: the suffix lets `a` and `a/b` both be flags."""
    return f"{flag_folder(name)}.flag"


def flag_folder(name: str) -> str:
    """`flags/a/b`, where the flags below `a/b` lie."""
    return "/".join([FLAGS, *(quote(part, safe="") for part in name.split("/") if part)])


def object_name(digest: str) -> str:
    """`objects/ab/abcdef...`; a digest that is none can only come from a damaged record."""
    if not _DIGEST.fullmatch(digest):
        raise CorruptObject(f"'{digest}' is not a digest", hint="run again: what names it is recomputed")
    return f"{OBJECTS}/{digest[:2]}/{digest}"


def stem(name: str) -> str:
    """The key or partial name that a record stands for."""
    return unquote(PurePosixPath(name).name.removesuffix(_SUFFIX))


def inside(folder: Path, name: str) -> Path:
    """A file of an artifact in its folder; names that lead out of it are refused."""
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\x00" in name:
        raise CorruptObject(f"an artifact names the file '{name}', which lies outside its folder")
    return folder / path


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} cannot be a key: letters, digits and ._=+- only")
    return key
