"""Trials that a person chose over the winners of their sweeps, in a file beside the pipeline."""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from advorch.artifacts import check_format
from advorch.errors import UsageError

FORMAT = "lock/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """Trial `trial` of the search with the key `search` is what the sweep hands on, under one profile of the file."""

    stage: str
    search: str
    trial: int
    profile: str = ""


def lock_file(pipeline: Path) -> Path:
    """Where the pins of a pipeline stand: `moons.lock.json` for `moons.yaml`."""
    return pipeline.with_name(f"{pipeline.stem}.lock.json")


def read_pins(pipeline: Path) -> list[Pin]:
    """Every pin of a pipeline; a damaged file is an error, for it would change results in silence."""
    path = lock_file(pipeline)
    if not path.is_file():
        return []
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        check_format(str(plain["format"]), "lock")
        return [_pin(item) for item in plain["pins"]]
    except (ValueError, KeyError, TypeError) as error:
        hint = "advorch sweep promote writes it; remove it to go back to the winners"
        raise UsageError(f"{path} is no list of pinned trials", hint=hint) from error


def pins_of(pipeline: Path, profile: str) -> Mapping[str, Pin]:
    """The pins that hold under a profile, by the cell of their sweep."""
    return {pin.stage: pin for pin in read_pins(pipeline) if pin.profile == profile}


def pin(pipeline: Path, chosen: Pin) -> Path:
    """Write a pin in place of an earlier one of the same sweep and profile; the file it stands in."""
    return _write(pipeline, [*_others(pipeline, chosen.stage, chosen.profile), chosen])


def unpin(pipeline: Path, stage: str, profile: str) -> bool:
    """Remove a pin; whether there was one."""
    left = _others(pipeline, stage, profile)
    if len(left) == len(read_pins(pipeline)):
        return False
    _write(pipeline, left)
    return True


def _others(pipeline: Path, stage: str, profile: str) -> list[Pin]:
    return [item for item in read_pins(pipeline) if (item.stage, item.profile) != (stage, profile)]


def _pin(plain: Mapping[str, Any]) -> Pin:
    found = Pin(**plain)
    if not isinstance(found.trial, int) or not all(isinstance(item, str) for item in (found.stage, found.search)):
        raise TypeError("a pin names a stage, a search and the number of a trial")
    return found


def _write(pipeline: Path, pins: list[Pin]) -> Path:
    """Replace the file whole; one without pins is removed."""
    path = lock_file(pipeline)
    if not pins:
        path.unlink(missing_ok=True)
        return path
    ordered = sorted(pins, key=lambda item: (item.stage, item.profile))
    text = json.dumps({"format": FORMAT, "pins": [asdict(item) for item in ordered]}, indent=1)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"{text}\n")
    Path(name).chmod(0o644)
    Path(name).replace(path)
    return path
