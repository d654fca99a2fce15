"""Names and values as MLflow takes them."""

import hashlib
import json
import posixpath
import re
from collections.abc import Mapping

from advorch.canonical import Json

LONGEST_NAME = 250
LONGEST_PARAM = 6000
LONGEST_TAG = 5000

_SPELLINGS = str.maketrans({"[": ".", "]": "", "=": ":", ",": " "})
_REFUSED = re.compile(r"[^\w\-. :/]", re.ASCII)


def safe_name(name: str) -> str:
    """A name in MLflow's alphabet: `attack[name=pgd]` is `attack.name:pgd`; what had to change more carries a mark."""
    spelled = name.translate(_SPELLINGS)
    safe = _REFUSED.sub("_", spelled)
    if not _is_own_path(safe):
        safe = safe.replace("/", "_").strip(".") or "_"
    if safe == spelled and len(safe) <= LONGEST_NAME:
        return safe
    return f"{safe[: LONGEST_NAME - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _is_own_path(name: str) -> bool:
    """MLflow refuses names that a file system would read as another path."""
    normal = posixpath.normpath(name)
    return normal == name and normal != "." and not normal.startswith(("..", "/"))


def flat(params: Mapping[str, Json], prefix: str = "") -> dict[str, str]:
    """Nested parameters under dotted names, as text cut to what MLflow takes; lists stay in one piece."""
    rows: dict[str, str] = {}
    for key, value in params.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            rows |= flat(value, f"{name}.")
        else:
            rows[name] = cut(_text(value), LONGEST_PARAM)
    return rows


def _text(value: "Json") -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def cut(text: str, longest: int) -> str:
    """A text of at most so many characters, that says so when it was longer."""
    return text if len(text) <= longest else text[: longest - 3] + "..."
