"""Where inside a scalar something stands, whatever its quoting."""

from advorch.spec.nodes import Mark, Scalar

_FARTHEST = 200  # lines of a block scalar that are searched


class Finder:
    """Finds the expressions of one scalar in its source, one after the other."""

    def __init__(self, scalar: Scalar) -> None:
        self._scalar = scalar
        self._line = scalar.mark.line
        self._column = scalar.mark.column
        breaks = scalar.text.count("\n") + scalar.text.count(" ")  # a folded line break is read as a blank
        self._last = min(len(scalar.mark.source.lines), scalar.mark.line + min(_FARTHEST, breaks))

    def mark(self, inside: str) -> Mark:
        """Where the next `${inside}` has its first character; the scalar itself where escapes hide it."""
        return self._next("${" + inside + "}", 2, len(inside)) or self._scalar.mark

    def opening(self) -> Mark:
        """Where the next `${` stands."""
        return self._next("${", 0, 2) or self._scalar.mark

    def content(self) -> Mark:
        """Where the text of the scalar begins: behind the quote, if it has one."""
        mark = self._scalar.mark
        lines = mark.source.lines
        first = lines[mark.line - 1][mark.column - 1 : mark.column] if mark.line <= len(lines) else ""
        return mark.at(1, max(1, mark.length - 2)) if first in ("'", '"') else mark

    def _next(self, wanted: str, skip: int, length: int) -> Mark | None:
        lines = self._scalar.mark.source.lines
        line, start = self._line, self._column - 1
        while line <= self._last:
            found = _unescaped(lines[line - 1], wanted, start)
            if found >= 0:
                self._line, self._column = line, found + len(wanted) + 1
                return Mark(self._scalar.mark.source, line, found + skip + 1, max(1, length))
            line, start = line + 1, 0
        return None


def _unescaped(text: str, wanted: str, start: int) -> int:
    """The next occurrence that no further dollar sign turns into a literal."""
    found = text.find(wanted, start)
    while found > 0 and text[found - 1] == "$":
        found = text.find(wanted, found + 1)
    return found
