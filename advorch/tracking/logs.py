"""What the cells of a run printed: whole, the end of it, or as it comes."""

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from advorch.tracking.files import log_file

ENCODING = "utf-8"


def concerns(cell: str, stage: str) -> bool:
    """Whether a cell is the one that is asked for, of that stage, or within that sweep."""
    return not stage or cell == stage or cell.startswith((f"{stage}[", f"{stage}/"))


class LogTail:
    """Reads the logs of some cells on from where it stopped; a line is given when it is whole."""

    def __init__(self, folder: Path, cells: Sequence[str] = ()) -> None:
        self._folder = folder
        self._offsets: dict[str, int] = dict.fromkeys(cells, 0)

    def add(self, cell: str) -> None:
        """Read this cell's log too."""
        self._offsets.setdefault(cell, 0)

    def skip_to_last(self, lines: int) -> None:
        """Begin with the last lines that each log has now."""
        for cell in self._offsets:
            path = log_file(self._folder, cell)
            if path.exists():
                self._offsets[cell] = _start_of_last(path, lines)

    def fresh(self, *, torn: bool = False) -> Iterator[tuple[str, str]]:
        """Cell and line for all that is new; with `torn` also a last line without its end."""
        for cell, offset in self._offsets.items():
            path = log_file(self._folder, cell)
            if not path.exists():
                continue
            with path.open("rb") as file:
                file.seek(offset)
                for line in file:
                    if not line.endswith(b"\n") and not torn:
                        break
                    self._offsets[cell] += len(line)
                    yield cell, line.decode(ENCODING, errors="replace").rstrip("\n")


def _start_of_last(path: Path, lines: int) -> int:
    starts: deque[int] = deque(maxlen=lines)
    offset = 0
    with path.open("rb") as file:
        for line in file:
            starts.append(offset)
            offset += len(line)
    return starts[0] if starts else offset
