"""Tables and figures of what a net says from unseen poses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from advorch.kit.data import Data
from advorch.kit.evaluation.figures import accuracy_bars
from advorch.kit.evaluation.findings import Look, Table, Value
from advorch.kit.evaluation.panels import Tile, shown_box, stretched, tile_grid, unit
from advorch.kit.evaluation.statistics import Proportion, proportion
from advorch.kit.evaluation.subject import Subject
from advorch.kit.perturbation.fitted import Fitted, Kind
from advorch_builtins.evaluations.catalog_fitted import PosesParams
from advorch_builtins.evaluations.fitted_pairs import Pair, true_labels

Look_ = Callable[[Subject, Fitted, Data, PosesParams, int], dict[str, Tensor]]
_COLUMNS = (
    "object",
    "net",
    "surface",
    "true",
    "target",
    "other",
    "true low",
    "true high",
    "target low",
    "target high",
    "poses",
)
_CAPTION = (
    "All surfaces from the same poses in the same light: the control is unperturbed, a blank hides as much and shows "
    "nothing. 95% intervals (Wilson)."
)


_SURFACES = {"control": "unperturbed control", "blank": "blank of its shape", "perturbed": "perturbed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Labels by sample and draw for every surface, and the true ones."""

    pair: Pair
    y: Tensor
    labels: Mapping[str, Tensor]

    def share(self, surface: str) -> dict[str, Proportion]:
        """Of the poses in which it is taken for what it is, for the target, and for anything else."""
        labels, target = self.labels[surface], self.pair.fitted.target
        true = labels.eq(self.y[:, None])
        hit = labels.eq(target) & ~true if target is not None else labels.lt(0)
        return {"true": proportion(true), "target": proportion(hit), "other": proportion(~true & ~hit)}

    def metrics(self) -> dict[str, float]:
        """In plain names; the shares of control and blank are of true labels."""
        if not self.labels["control"].numel():
            return {}
        found = {f"{name}_share": share.value for name, share in self.share("perturbed").items()}
        blank = {"blank_share": self.share("blank")["true"].value} if "blank" in self.labels else {}
        return found | blank | {"control_share": self.share("control")["true"].value}


def tables(found: Sequence[Seen]) -> dict[str, Table]:
    """A row a pair and surface."""
    rows = tuple(_row(one, surface) for one in found for surface in one.labels)
    look = Look(
        shares=frozenset(_COLUMNS[3:10]),
        intervals=(("true", "true low", "true high"), ("target", "target low", "target high")),
    )
    return {"Unseen poses": Table(_COLUMNS, rows, _CAPTION, look)}


def _row(one: Seen, surface: str) -> tuple[Value, ...]:
    shares, count = one.share(surface), one.labels[surface].numel()
    values = [share.value if count else None for share in shares.values()]
    ends = [end for name in ("true", "target") for end in _ends(shares[name])]
    return (one.pair.name, one.pair.model.label, surface, *values, *ends, count)


def _ends(share: Proportion) -> tuple[float, float]:
    interval = share.interval()
    return interval.low, interval.high


def figures(
    found: Sequence[Seen], subject: Subject, params: PosesParams, look: Look_
) -> dict[str, Callable[[], bytes]]:
    """Bars, the surfaces, and some of the poses."""
    result: dict[str, Callable[[], bytes]] = {}
    for one in found:
        result[f"Shares: {one.pair.title}"] = partial(_bars, one)
        result[f"Poses: {one.pair.title}"] = partial(_views, one, subject, params, look)
    textures = [one for one in found if one.pair.fitted.print.kind is Kind.TEXTURE]
    return result | {f"Surface: {one.pair.name}": partial(_surface, one, subject) for one in textures}


def _bars(one: Seen) -> bytes:
    names = {"true": "true class", "target": _aim(one), "other": "any other"}
    kept = {name: words for name, words in names.items() if name != "target" or one.pair.fitted.target is not None}
    series: dict[str, Sequence[Proportion | None]] = {
        words: [one.share(surface)[name] for surface in one.labels] for name, words in kept.items()
    }
    return accuracy_bars([_SURFACES[name] for name in one.labels], series, "", "share of unseen poses")


def _aim(one: Seen) -> str:
    target = one.pair.fitted.target
    return "target" if target is None else f"target: {one.pair.fitted.signature.classes[target]}"


def _views(one: Seen, subject: Subject, params: PosesParams, look: Look_) -> bytes:
    """The same poses in both rows; what is not taken for what it is has a frame and a cross."""
    meant = one.labels["control"].new_ones(len(subject.data)).bool()
    if one.pair.fitted.print.kind is not Kind.TEXTURE and one.pair.fitted.source is not None:
        meant = subject.data.y.eq(one.pair.fitted.source)
    batch = subject.data.take(meant.nonzero().flatten()[: params.examples]).to(subject.device)
    y, box = true_labels(one.pair.fitted, batch.y), shown_box(subject.data.box, subject.data.x)
    rows = {}
    for name, images in look(subject, one.pair.fitted, batch, params, 0).items():
        said = one.pair.model.predict(images)
        labelled = zip(images, said, y, strict=True)
        rows[name] = [
            Tile(image=unit(image.cpu(), box), caption=subject.data.classes[int(label)], wrong=bool(label != true))
            for image, label, true in labelled
        ]
    return tile_grid(rows, side=1.15, heading="frame and cross: not taken for what it is")


def _surface(one: Seen, subject: Subject) -> bytes:
    printed, box = one.pair.fitted.print, shown_box(subject.data.box, subject.data.x)
    assert printed.original is not None
    change = printed.pattern - printed.original
    largest = float(change.abs().max())
    tiles = [
        Tile(image=unit(printed.original, box), caption="unperturbed"),
        Tile(image=unit(printed.pattern, box), caption="perturbed"),
        Tile(image=stretched(change), caption=f"difference, up to {largest:.2g}"),
    ]
    return tile_grid({"": tiles}, side=1.8)


def notes(found: Sequence[Seen]) -> list[str]:
    """A control that is not classified right proves nothing about a perturbation."""
    half = 0.5
    weak = [one for one in found if one.metrics().get("control_share", 1.0) < half]
    said = "is taken for what it is in less than half of the poses even without the perturbation"
    empty = [one.pair.title for one in found if not one.labels["control"].numel()]
    return [
        *(f"{one.pair.title}: the object {said}, so that its poses alone explain much." for one in weak),
        *(f"{title}: no sample is of the class that it was made for." for title in empty),
    ]
