"""Traffic signs in a tar file, read without unpacking it."""

import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from advorch_builtins.datasets.reading import malformed


def read_archive(path: Path) -> Mapping[Path, bytes]:
    """Every PPM image below a folder that is a number, as CLASS/NAME, wherever in the archive it lies."""
    found: dict[Path, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                place = PurePosixPath(member.name)
                if member.isfile() and place.suffix == ".ppm" and place.parent.name.isdigit():
                    content = archive.extractfile(member)
                    assert content is not None  # it is a file
                    found[Path(place.parent.name) / place.name] = content.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise malformed(path, f"cannot be read as a tar file ({error})") from error
    if not found:
        raise malformed(path, "holds no PPM image below a folder that is a number")
    return found
