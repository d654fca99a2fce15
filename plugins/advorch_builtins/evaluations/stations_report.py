"""Tables and figures of a drive past an object."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Look, Table, Value
from advorch.kit.evaluation.panels import Tile, shown_box, tile_grid, unit
from advorch.kit.evaluation.subject import Subject
from advorch.kit.perturbation.applying import of_source
from advorch.kit.perturbation.fitted import Fitted
from advorch_builtins.evaluations.catalog_fitted import StationsParams
from advorch_builtins.evaluations.fitted_pairs import Pair

Driver = Callable[[Subject, Fitted, Data, StationsParams], dict[str, Sequence[Tensor]]]
_WRAP = 5  # stations in a row of the picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """Probabilities by photo, station and class, without and with the perturbation."""

    pair: Pair
    y: Tensor
    said: Mapping[str, Tensor]

    @property
    def photos(self) -> int:
        """How many there are of the object."""
        return len(self.y)

    def mean(self, surface: str) -> Tensor:
        """Probabilities by station and class, the mean over photos."""
        return self.said[surface].mean(0)

    def goal(self) -> Tensor:
        """By station, whether the class that the mean photo is taken for is the target, or without one a wrong one.

        Photos of several classes have no class in the mean: there it is another than without the perturbation.
        """
        top, target = self.mean("perturbed").argmax(1), self.pair.fitted.target
        if target is not None:
            return top.eq(target)
        alike = bool((self.y == self.y[0]).all())
        return top.ne(self.y[0] if alike else self.mean("control").argmax(1))

    def metrics(self) -> dict[str, float]:
        """Shares of stations, and of photos from stations."""
        if not self.photos:
            return {}
        labels, target = self.said["perturbed"].argmax(2), self.pair.fitted.target
        away = labels.ne(self.y[:, None])
        hit = labels.eq(target) if target is not None else away
        true = self.said["control"].argmax(2).eq(self.y[:, None])
        named = {"success": self.goal(), "photo_success": hit, "fooled": away, "control_share": true}
        return {name: float(flags.double().mean()) for name, flags in named.items()}


def tables(found: Sequence[Drive], subject: Subject, params: StationsParams) -> dict[str, Table]:
    """One a pair: a row a station."""
    return {
        f"Drive-by: {one.pair.title}": _table(one, subject.data.classes, params) for one in found if one.photos
    } or {"Drive-by": Table(("object",), ())}


def _table(one: Drive, classes: Sequence[str], params: StationsParams) -> Table:
    columns = (
        f"distance ({params.unit})", "angle", "top class", "confidence", "second class", "second confidence", "success",
        "photos", "control", "control confidence",
    )  # fmt: skip
    rows = tuple(_row(one, classes, place, number) for number, place in enumerate(params.stations))
    shares = frozenset({"confidence", "second confidence", "control confidence", "photos"})
    caption = (
        f"Classes by their mean probability over {one.photos} photos of the object; `photos` is the share of them that "
        f"succeed by themselves. Success: {int(one.goal().sum())} of {len(rows)} rows."
    )
    return Table(columns, rows, caption, Look(shares=shares))


def _row(one: Drive, classes: Sequence[str], place: tuple[float, float], number: int) -> tuple[Value, ...]:
    values, order = one.mean("perturbed")[number].sort(descending=True, stable=True)
    control = one.mean("control")[number]
    labels, target = one.said["perturbed"][:, number].argmax(1), one.pair.fitted.target
    hit = labels.eq(target) if target is not None else labels.ne(one.y)
    top = [(classes[int(label)], float(value)) for label, value in zip(order[:2], values[:2], strict=True)]
    said = (classes[int(control.argmax())], float(control.max()))
    return (*place, *top[0], *top[1], bool(one.goal()[number]), float(hit.double().mean()), *said)


def figures(
    found: Sequence[Drive], subject: Subject, params: StationsParams, drive: Driver
) -> dict[str, Callable[[], bytes]]:
    """The first photo from every station, with the perturbation and without it."""
    return {
        f"Stations: {one.pair.title}": partial(_picture, one, subject, params, drive) for one in found if one.photos
    }


def _picture(one: Drive, subject: Subject, params: StationsParams, drive: Driver) -> bytes:
    first = of_source(one.pair.fitted, subject.data.y).nonzero().flatten()[:1]
    views = drive(subject, one.pair.fitted, subject.data.take(first).to(subject.device), params)
    tiles = {name: _tiles(one, name, images, subject, params) for name, images in views.items()}
    rows = {}
    for start in range(0, len(params.stations), _WRAP):
        for name, line in tiles.items():
            rows[f"{name}{' ' * start}"] = line[start : start + _WRAP]  # rows of one name are kept apart by blanks
    return tile_grid(rows, side=1.35, heading="frame and cross: not taken for what it is")


def _tiles(one: Drive, surface: str, images: Sequence[Tensor], subject: Subject, params: StationsParams) -> list[Tile]:
    box, result = shown_box(subject.data.box, subject.data.x), []
    for number, (distance, degrees) in enumerate(params.stations):
        said = one.said[surface][0, number]
        label, words = int(said.argmax()), f"{distance:g} {params.unit}, {degrees:g}°"
        caption = f"{words}\n{subject.data.classes[label]} {100 * float(said.max()):.0f}%"
        result.append(Tile(image=unit(images[number][0].cpu(), box), caption=caption, wrong=label != int(one.y[0])))
    return result


def notes(found: Sequence[Drive], params: StationsParams) -> list[str]:
    """How far a simulated drive carries."""
    pixels = params.focal * params.side
    nearest, farthest = min(place[0] for place in params.stations), max(place[0] for place in params.stations)
    seen = f"{pixels / nearest:.0f} pixels across the object at {nearest:g} {params.unit}"
    result = [f"The camera is simulated: {seen}, {pixels / farthest:.0f} at {farthest:g}."]
    weak = [one for one in found if one.photos and one.metrics()["control_share"] < 1]
    shares = {one.pair.title: one.metrics()["control_share"] for one in weak}
    result += [
        f"{title}: the unperturbed control is right in {100 * share:.0f}% only." for title, share in shares.items()
    ]
    empty = [one.pair.title for one in found if not one.photos]
    return [*result, *(f"{title}: no sample is of the class that it was made for." for title in empty)]
