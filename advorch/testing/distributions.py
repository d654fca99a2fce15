"""Installed distributions made of files alone: real discovery in a test, no pip."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from advorch.registry.plugin import GROUP


def write_distribution(
    folder: Path,
    name: str,
    *,
    entry_points: Mapping[str, str],
    files: Mapping[str, str] | None = None,
    version: str = "1.0",
) -> Path:
    """Lay out modules and the metadata that an installer would have written; put `folder` on `sys.path` to use it."""
    for path, text in (files or {}).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(dedent(text), encoding="utf-8")
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    shutil.rmtree(info, ignore_errors=True)
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    lines = [f"{key} = {value}" for key, value in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]), encoding="utf-8")
    return folder
