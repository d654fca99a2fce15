"""What evaluate/sanity said of the same models, on the page of their accuracies."""

from advorch.api import ErrorClass, StageFailed
from advorch.kit.evaluation.findings import Look, Table

TITLE = "Robustness card"
COLUMNS = (
    "model", "clean", "clean low", "clean high", "own attacks", "own low", "own high", "probes", "probes low",
    "probes high", "passed", "failed", "not applicable", "verdict",
)  # fmt: skip
_BOUNDS = (
    ("clean", "clean low", "clean high"),
    ("own attacks", "own low", "own high"),
    ("probes", "probes low", "probes high"),
)
LOOK = Look(shares=frozenset(name for names in _BOUNDS for name in names), intervals=_BOUNDS)
_NOTHING = (
    "No gradient-masking checks were run: a robust accuracy is that of the attacks listed, and no guarantee. "
    "`evaluate/sanity` runs them; connect its table to the port `sanity`."
)


def read(table: Table | None) -> Table | None:
    """The card of evaluate/sanity as it looked there; any other table is a mistake."""
    if table is not None and table.columns != COLUMNS:
        hint = "connect the `table` of an evaluate/sanity stage"
        raise StageFailed("the port `sanity` was given another table", error_class=ErrorClass.USER, hint=hint)
    return None if table is None else Table(table.columns, table.rows, table.caption, LOOK)


def tables(card: Table | None) -> dict[str, Table]:
    """The card, where there is one."""
    return {} if card is None else {TITLE: card}


def verdicts(card: Table | None) -> list[str]:
    """Whether gradients are masked, model by model."""
    if card is None:
        return [_NOTHING]
    return [f"{model}: {verdict}." for model, verdict in zip(card.column("model"), card.column("verdict"), strict=True)]
