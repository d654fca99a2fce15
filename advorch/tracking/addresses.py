"""Where a cell stands: of the pipeline itself, a trial of one of its sweeps, or a cell inside a trial."""

TRIAL = "core/trial"
REFIT = "core/refit"


def parent_of(cell: str) -> str | None:
    """The address before the last slash that is not inside brackets: `robust` for `robust/3`."""
    depth = 0
    for index in range(len(cell) - 1, -1, -1):
        depth += {"]": 1, "[": -1}.get(cell[index], 0)
        if cell[index] == "/" and depth == 0:
            return cell[:index]
    return None


def is_own(cell: str) -> bool:
    """Whether a cell is the pipeline's own, and not inside one of its sweeps."""
    return "/" not in cell or parent_of(cell) is None


def line_of(cell: str) -> list[str]:
    """A cell and what it is inside of, from the outermost: `robust`, `robust/3`, `robust/3/train`."""
    above = parent_of(cell) if "/" in cell else None
    return [*line_of(above), cell] if above else [cell]


def level(cell: str) -> int:
    """0 for the pipeline's own cells, 1 for trials, more for what is inside them."""
    return len(line_of(cell)) - 1
