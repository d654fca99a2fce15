"""Tables and figures of fooling rates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from advorch.kit.evaluation.figures import is_image
from advorch.kit.evaluation.findings import Look, Table, Value
from advorch.kit.evaluation.matrix_figures import Matrix, share_matrix
from advorch.kit.evaluation.panels import Tile, shown_box, stretched, tile_grid, unit
from advorch.kit.evaluation.statistics import Proportion
from advorch.kit.evaluation.subject import Subject
from advorch.kit.perturbation.applying import of_source
from advorch.kit.perturbation.fitted import Kind
from advorch_builtins.evaluations.fitted_pairs import Pair, worn

_RATES = (
    "perturbation", "net", "fitted against it", "fooling rate", "low", "high", "noise", "clean accuracy", "accuracy",
    "samples",
)  # fmt: skip
_WRAP = 3  # perturbations side by side
_CAPTION = (
    "Fooled: another label than without the perturbation; with a target, the target where there was another label. "
    "Noise: the same for one draw of noise as large as the perturbation. 95% intervals (Wilson)."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fooled:
    """What one perturbation does to one net."""

    pair: Pair
    rate: Proportion
    control: Proportion | None
    accuracy: Proportion
    clean_accuracy: Proportion
    falls: Tensor

    def metrics(self) -> dict[str, float]:
        """In plain names; of no samples there is nothing to say."""
        found = {"fooling_rate": self.rate.value} if self.rate.total else {}
        if self.rate.total and self.pair.fitted.target is not None:
            found["target_rate"] = self.rate.value
        if self.control is not None and self.control.total:
            found["control_rate"] = self.control.value
        if int(self.falls.sum()):
            found["dominant_share"] = float(self.falls.max() / self.falls.sum())
        return found


def tables(found: Sequence[Fooled], subject: Subject, count: int) -> dict[str, Table]:
    """The matrix first."""
    result = {"Fooling rates": _matrix(found, subject), "Rates in full": _rates(found)}
    return result | {f"Dominant labels: {one.pair.title}": _dominant(one, subject, count) for one in found if _own(one)}


def _matrix(found: Sequence[Fooled], subject: Subject) -> Table:
    columns = tuple(model.label for model in subject.models)
    rows = tuple((line[0].pair.name, *(one.rate.known for one in line)) for line in _lines(found, subject))
    return Table(("fitted", *columns), rows, _CAPTION, Look(shares=frozenset(columns)))


def _lines(found: Sequence[Fooled], subject: Subject) -> list[Sequence[Fooled]]:
    width = len(subject.models)
    return [found[start : start + width] for start in range(0, len(found), width)]


def _rates(found: Sequence[Fooled]) -> Table:
    look = Look(
        shares=frozenset({"fooling rate", "low", "high", "noise", "clean accuracy", "accuracy"}),
        intervals=(("fooling rate", "low", "high"),),
    )
    return Table(_RATES, tuple(_rate(one) for one in found), _CAPTION, look)


def _rate(one: Fooled) -> tuple[Value, ...]:
    interval = one.rate.interval()
    noise = None if one.control is None else one.control.known
    names = (one.pair.name, one.pair.model.label, one.pair.own)
    ends = (interval.low, interval.high)
    return (
        *names, one.rate.known, *ends, noise, one.clean_accuracy.known, one.accuracy.known, one.rate.total,
    )  # fmt: skip


def _dominant(one: Fooled, subject: Subject, count: int) -> Table:
    """Which labels samples fall to, whose label changes."""
    total = int(one.falls.sum())
    order = one.falls.argsort(descending=True, stable=True)[:count].tolist()
    chosen = [label for label in order if int(one.falls[label])]
    rows = tuple(
        (subject.data.classes[label], int(one.falls[label]), int(one.falls[label]) / total) for label in chosen
    )
    caption = f"Of the {total:,} samples whose label changes."
    return Table(("label", "samples", "share"), rows, caption, Look(shares=frozenset({"share"})))


def figures(found: Sequence[Fooled], subject: Subject, examples: int) -> dict[str, Callable[[], bytes]]:
    """The matrix, the perturbations, and samples with labels under them."""
    result: dict[str, Callable[[], bytes]] = {"Fooling rates by net": partial(_picture, found, subject)}
    if is_image(subject.data.x.shape[1:]):
        result["Perturbations"] = partial(_patterns, found, subject)
        for one in filter(_own, found):
            result[f"Samples: {one.pair.title}"] = partial(_samples, one, subject, examples)
    return result


def _picture(found: Sequence[Fooled], subject: Subject) -> bytes:
    lines = _lines(found, subject)
    matrix = Matrix(
        values=[[one.rate.known for one in line] for line in lines],
        rows=[line[0].pair.name for line in lines],
        columns=[model.label for model in subject.models],
        marked=[(row, column) for row, line in enumerate(lines) for column, one in enumerate(line) if one.pair.own],
    )
    return share_matrix(
        matrix, across="net that is shown the samples", down="perturbation", mark="fitted against this net"
    )


def _patterns(found: Sequence[Fooled], subject: Subject) -> bytes:
    box = shown_box(subject.data.box, subject.data.x)
    prints = {one.pair.name: one.pair.fitted.print for one in found}
    tiles = []
    for name, printed in prints.items():
        if printed.kind is Kind.UNIVERSAL:
            largest = float(printed.pattern.abs().max())
            tiles.append(
                Tile(image=stretched(printed.pattern), caption=f"{name}\nblack -{largest:.3g}, white {largest:.3g}")
            )
        else:
            assert printed.mask is not None
            seen = unit(printed.pattern, box) * printed.mask + 0.5 * (1 - printed.mask)
            tiles.append(Tile(image=seen, caption=name))
    lines = [tiles[start : start + _WRAP] for start in range(0, len(tiles), _WRAP)]
    return tile_grid({" " * number: line for number, line in enumerate(lines)}, side=2.2)


def _samples(one: Fooled, subject: Subject, examples: int) -> bytes:
    """The first samples that it was meant for, without and with the perturbation."""
    meant = of_source(one.pair.fitted, subject.data.y).nonzero().flatten()[:examples]
    batch = subject.data.take(meant).to(subject.device)
    changed, box = worn(subject, one.pair.fitted, batch), shown_box(subject.data.box, subject.data.x)
    before, after = one.pair.model.predict(batch.x), one.pair.model.predict(changed)
    clean = [_tile(image, label, box, subject) for image, label in zip(batch.x, before, strict=True)]
    rows = zip(changed, before, after, strict=True)
    perturbed = [_tile(image, label, box, subject, bool(label != old)) for image, old, label in rows]
    return tile_grid(
        {"clean": clean, "perturbed": perturbed}, side=1.1, heading="frame and cross: the label has changed"
    )


def _tile(image: Tensor, label: Tensor, box: tuple[float, float], subject: Subject, wrong: bool | None = None) -> Tile:
    return Tile(image=unit(image.cpu(), box), caption=subject.data.classes[int(label)], wrong=wrong)


def notes(found: Sequence[Fooled]) -> list[str]:
    """What no table says."""
    weak = [one for one in found if one.pair.own and one.control is not None and _no_better(one)]
    result = [
        f"{one.pair.name} fools no more than noise of its size: it was not fitted long enough, or cannot."
        for one in weak
    ]
    if not any(one.pair.own for one in found):
        result.append("None of the nets is one that a perturbation was fitted against: all rates are of transfer.")
    return result


def _no_better(one: Fooled) -> bool:
    assert one.control is not None
    return one.rate.interval().low <= one.control.interval().high


def _own(one: Fooled) -> bool:
    return one.pair.own or one.pair.fitted.source is not None
