"""What the table of attacks shows: tables, a figure and remarks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from advorch.api import Budget
from advorch.kit.evaluation.attack_figures import accuracy_dots
from advorch.kit.evaluation.findings import Look, Table, Value
from advorch.kit.evaluation.statistics import Interval, Proportion, proportion
from advorch.kit.evaluation.subject import SubjectModel
from advorch_builtins.evaluations.bouts import Bout, Ring, names_of
from advorch_builtins.evaluations.catalog_measured import AttackCostsParams

_COLUMNS = (
    "model", "attack", "robust accuracy", "low", "high", "found", "mean size", "median size", "relative size", "norm",
    "queries", "ms", "samples",
)  # fmt: skip
_CAPTION = (
    "Robust accuracy is of all samples, with its 95% interval (Wilson): right before, and not fooled within epsilon. "
    "Found is of the samples that were right before, for a minimal budget at any distance. Sizes are of what was "
    "found; the relative size is the mean of ||change|| / ||sample||. Queries are forward passes for a sample that was "
    "attacked."
)
_SMALLEST = "Over what each attack found: the mean of ||change|| / ||sample||, and the milliseconds for a sample."


@dataclass(frozen=True, slots=True)
class Versus:
    """Two attacks on the same samples: the share that the first fools less that of the second."""

    model: SubjectModel
    names: tuple[str, str]
    fooled: tuple[Proportion, Proportion]
    share: float
    interval: Interval

    @property
    def tested(self) -> bool:
        """Whether there is any sample that both tried."""
        return self.fooled[0].total > 0

    @property
    def verdict(self) -> str:
        """What the interval leaves of the claim that the first is stronger."""
        if self.interval.low > 0:
            return "stronger"
        return "weaker" if self.interval.high < 0 else "undecided"


def tables(rings: Sequence[Ring], times: Sequence[float | None], duels: Sequence[Versus]) -> dict[str, Table]:
    """Minimal perturbations side by side where there are some, then a row for each attack."""
    clocks = iter(times)
    timed = [(ring, [(bout, next(clocks)) for bout in ring.bouts]) for ring in rings]
    result = {"Attacks": _attacks([pair for _, pairs in timed for pair in pairs])}
    small = [(ring, [pair for pair in pairs if _is_minimal(pair[0])]) for ring, pairs in timed]
    if any(pairs for _, pairs in small):
        result = {"Smallest perturbations": _smallest(small)} | result
    return ({"Claim": _claim(duels)} if duels else {}) | result


def figures(rings: Sequence[Ring]) -> dict[str, Callable[[], bytes]]:
    """Accuracies by attack."""
    return {"Robust accuracy by attack": partial(_dots, rings)}


def notes(rings: Sequence[Ring], duels: Sequence[Versus], params: AttackCostsParams, device: str) -> list[str]:
    """How times were taken, what was compared, and which rows are about few samples."""
    found = [_sentence(duel) for duel in duels]
    if params.timed:
        clock = "wall clock" if device.startswith("cuda") else "CPU time of the process"
        batch = "one sample at a time" if params.together == 1 else f"in batches of {params.together}"
        found.append(
            f"Milliseconds are {clock} for a sample, measured by running each attack again on {params.timed} samples, "
            f"{batch}, after one batch that is not counted. They differ from run to run; everything else does not."
        )
    counts = sorted({bout.duel.accuracy.total for ring in rings for bout in ring.bouts})
    if len(counts) > 1:
        listed = ", ".join(f"{count:,}" for count in counts)
        found.append(f"Attacks were run on different numbers of samples ({listed}): each row's interval is of its own.")
    return found


def _is_minimal(bout: Bout) -> bool:
    return bout.duel.set.samples.budget is Budget.MINIMAL


def _attacks(pairs: Sequence[tuple[Bout, float | None]]) -> Table:
    rows = tuple(_row(bout, seconds) for bout, seconds in pairs)
    look = Look(
        shares=frozenset({"robust accuracy", "low", "high", "found"}),
        intervals=(("robust accuracy", "low", "high"),),
        usual=(("ms", None),),
    )
    return Table(_COLUMNS, rows, _CAPTION, look)


def _row(bout: Bout, seconds: float | None) -> tuple[Value, ...]:
    accuracy = bout.duel.accuracy
    return (
        bout.model.label,
        bout.duel.set.label,
        *accuracy.bounded,
        bout.success.known,
        bout.mean(bout.size),
        bout.median(bout.size),
        bout.mean(bout.share),
        bout.norm.value,
        bout.queries(),
        None if seconds is None else 1000 * seconds,
        accuracy.total,
    )


def _smallest(rings: Sequence[tuple[Ring, Sequence[tuple[Bout, float | None]]]]) -> Table:
    """DeepFool's table 1: a row a model, its test error, and for each attack the relative size and the time."""
    names = list(dict.fromkeys(name for _, pairs in rings for name in names_of([bout for bout, _ in pairs])))
    columns = (
        "model",
        "test error",
        *(f"{name}: {what}" for name in names for what in ("relative size", "ms", "found")),
    )
    rows = tuple(_smallest_row(ring, pairs, names) for ring, pairs in rings)
    empty = tuple((f"{name}: ms", None) for name in names)
    full = tuple((f"{name}: found", 1.0) for name in names)
    shares = frozenset({"test error", *(f"{name}: found" for name in names)})
    return Table(columns, rows, _SMALLEST, Look(shares=shares, usual=(*empty, *full)))


def _smallest_row(ring: Ring, pairs: Sequence[tuple[Bout, float | None]], names: Sequence[str]) -> tuple[Value, ...]:
    known = dict(zip(names_of([bout for bout, _ in pairs]), pairs, strict=True))
    cells: list[Value] = []
    for name in names:
        bout, seconds = known.get(name, (None, None))
        cells += [
            bout.mean(bout.share) if bout else None,
            None if seconds is None else 1000 * seconds,
            bout.success.known if bout else None,
        ]
    error = 1 - proportion(ring.standing.correct).value
    return (ring.standing.model.label, error, *cells)


def _claim(duels: Sequence[Versus]) -> Table:
    first, second = duels[0].names
    columns = ("model", f"{first} fools", f"{second} fools", "difference", "low", "high", first, "samples")
    rows = tuple(
        (
            duel.model.label,
            *(share.known for share in duel.fooled),
            duel.share if duel.tested else None,
            duel.interval.low,
            duel.interval.high,
            duel.verdict,
            duel.fooled[0].total,
        )
        for duel in duels
    )
    shares = frozenset({f"{first} fools", f"{second} fools", "difference", "low", "high"})
    caption = (
        "Of the samples that both tried those that each fools within epsilon, paired by sample; the interval is Bonett "
        "and Price's, at 95%."
    )
    return Table(columns, rows, caption, Look(shares=shares, intervals=(("difference", "low", "high"),)))


def _sentence(duel: Versus) -> str:
    first, second = duel.names
    if not duel.tested:
        return f"{duel.model.label}: {first} and {second} tried no sample both, so that they cannot be compared."
    points, low, high = (100 * value for value in (duel.share, duel.interval.low, duel.interval.high))
    said = {
        "stronger": f"{first} is stronger than {second}",
        "weaker": f"{first} is weaker than {second}",
        "undecided": f"whether {first} is stronger than {second} is undecided",
    }[duel.verdict]
    return f"{duel.model.label}: {said}, by {points:.1f} points ({low:.1f} to {high:.1f})."


def _dots(rings: Sequence[Ring]) -> bytes:
    series: dict[str, dict[str, Proportion]] = {}
    for ring in rings:
        named = zip(names_of(ring.bouts), ring.bouts, strict=True)
        series[ring.standing.model.label] = {name: bout.duel.accuracy for name, bout in named}
    clean = {ring.standing.model.label: proportion(ring.standing.correct) for ring in rings}
    return accuracy_dots(series, clean)
