"""Durations and sizes as people write them."""

import re
from collections.abc import Mapping
from types import MappingProxyType

_SECONDS: Mapping[str, float] = MappingProxyType(
    {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
)
_BYTES: Mapping[str, int] = MappingProxyType(
    {"B": 1}
    | {f"{prefix}B": 1000**power for power, prefix in enumerate("kMGTP", 1)}
    | {"KB": 1000}
    | {f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGTP", 1)}
)
DURATION_UNITS = tuple(_SECONDS)
SIZE_UNITS = tuple(_BYTES)
_PART = re.compile(r"\s*(\d{1,12}(?:\.\d{1,12})?)\s*([A-Za-z]+)", re.ASCII)
DURATION_PATTERN = r"^\s*(\d+(\.\d+)?\s*(ms|s|min|m|h|d|w)\s*)+$"
SIZE_PATTERN = r"^\s*\d+(\.\d+)?\s*([kKMGTP]i?)?B\s*$"


def seconds(text: str) -> float | None:
    """`30s`, `4h`, `1h30m`, `500ms`, `1d` as seconds; None for anything else."""
    total, position = 0.0, 0
    text = text.strip()
    while position < len(text):
        match = _PART.match(text, position)
        if match is None or match[2] not in _SECONDS:
            return None
        total += float(match[1]) * _SECONDS[match[2]]
        position = match.end()
    return total if text else None


def size(text: str) -> int | None:
    """`4GiB`, `512MB` as bytes; None for anything else."""
    match = _PART.fullmatch(text.strip())
    if match is None or match[2] not in _BYTES:
        return None
    return round(float(match[1]) * _BYTES[match[2]])
