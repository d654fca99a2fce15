"""One spelling for every JSON value, so that equal values have equal digests and no others do."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "None | bool | int | float | str | Sequence[Json] | Mapping[str, Json]"


def canonical(value: "Json") -> str:
    """Typed, named and self-delimiting: 1, 1.0 and "1" differ, -0.0 is 0.0, NaN is refused."""
    return json.dumps(_normal(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: "Json") -> str:
    """Sha256 of the canonical spelling, in hex."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def _normal(value: "Json") -> "Json":
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no canonical spelling")
        return value + 0.0  # turns -0.0 into 0.0
    if isinstance(value, Mapping):
        return {str(key): _normal(item) for key, item in value.items()}
    if isinstance(value, str) or value is None or isinstance(value, int):
        return value
    return [_normal(item) for item in value]
