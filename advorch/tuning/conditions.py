"""The `when` of a dimension: it sees the values drawn before it."""

from collections.abc import Mapping, Sequence

from advorch.canonical import Json
from advorch.spec.expression import Expression, ExpressionError, Lookup, Path, UnknownName
from advorch.spec.operators import Undefined, truth
from advorch.spec.tuning import Dimension


class _Absent(Exception):
    """A dimension was read whose own condition does not hold."""


def holds(when: Expression | None, values: Mapping[str, Json], before: Sequence[Dimension], lookup: Lookup) -> bool:
    """Whether a dimension takes part; `trial.*` are those before it, and one that reads an absent one is absent too."""
    if when is None:
        return True
    try:
        answer = when.evaluate(lambda path: _answer(path, values, before, lookup))
        return truth(answer, "when")
    except _Absent:
        return False
    except Undefined as undefined:
        raise ExpressionError(undefined.message, offset=0, mark=when.mark, hint=undefined.hint) from None


def _answer(path: Path, values: Mapping[str, Json], before: Sequence[Dimension], lookup: Lookup) -> object:
    if path[0] != "trial":
        return lookup(path)
    if len(path) < 2 or path[1] not in {dimension.name for dimension in before}:
        raise UnknownName(path, [f"trial.{dimension.name}" for dimension in before])
    if path[1] not in values:
        raise _Absent
    return _inside(path, values)


def _inside(path: Path, values: Mapping[str, Json]) -> object:
    """A value, or a key of one that is a map."""
    value: object = values
    for part in path[1:]:
        if not isinstance(value, Mapping) or part not in value:
            raise UnknownName(path)
        value = value[part]
    return value
