"""A drive past an object: Eykholt et al., "Robust physical-world attacks on deep learning visual classification", CVPR
2018, the table of stationary tests by distance and angle.

Every photo of the object stands as a plate in front of a pinhole camera. The frame is cropped to the object, as a
detector would; how many pixels the camera had for it falls with distance, and perspective with it. The angle is that
between the line of sight and the plate's upright plane.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject
from advorch.kit.perturbation.applying import apply, of_source
from advorch.kit.perturbation.fitted import Fitted, Kind
from advorch.kit.perturbation.poses import station
from advorch.kit.perturbation.render import photograph
from advorch.kit.perturbation.scene import Scene
from advorch.kit.perturbation.units import from_unit, image_range, to_unit
from advorch_builtins.evaluations import stations_report
from advorch_builtins.evaluations.catalog_fitted import StationsParams
from advorch_builtins.evaluations.fitted_pairs import Pair, named_metrics, pairs, probabilities
from advorch_builtins.evaluations.stations_report import Drive

KINDS = (Kind.STICKER, Kind.PATCH, Kind.UNIVERSAL)


class Stations:
    """Every perturbation and its control on every model, from every station."""

    def map(self, subject: Subject, batch: Data, params: StationsParams) -> Mapping[str, Tensor]:
        """Probabilities by station; zeros where a sample is not what the perturbation was made for."""
        image_range(subject.data.signature)
        rows: dict[str, Tensor] = {}
        shape = (len(batch), len(params.stations), len(subject.data.classes))
        for pair in pairs(subject, *KINDS):
            meant = of_source(pair.fitted, batch.y)
            for name in ("control", "perturbed"):
                rows[f"{name}.{pair.key}"] = torch.zeros(shape)
            if bool(meant.any()):
                for name, views in drive(subject, pair.fitted, batch.take(meant), params).items():
                    said = [probabilities(pair.model, images).cpu() for images in views]
                    rows[f"{name}.{pair.key}"][meant.cpu()] = torch.stack(said, 1)
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: StationsParams) -> Findings:
        """The table of the paper, and what the camera sees."""
        found = [_driven(subject, pair, rows) for pair in pairs(subject, *KINDS)]
        return Findings(
            metrics=named_metrics([(one.pair, one.metrics()) for one in found]),
            tables=stations_report.tables(found, subject, params),
            figures=stations_report.figures(found, subject, params, drive),
            notes=stations_report.notes(found, params),
        )


def drive(subject: Subject, fitted: Fitted, batch: Data, params: StationsParams) -> dict[str, Sequence[Tensor]]:
    """What the camera sees at each station, without and with the perturbation."""
    box = image_range(subject.data.signature)
    rng = Draws(subject.seed, batch.ids).fork("stations")
    after = apply(fitted.print, batch.x, rng.fork("worn"), batch.box)
    named = {"control": to_unit(batch.x, box), "perturbed": to_unit(after, box)}
    scene = Scene.parse(fitted.print.how["scene"]) if "scene" in fitted.print.how else Scene()  # type: ignore[arg-type]
    still = scene.model_copy(update={"noise": 0.0})
    return {
        name: [
            from_unit(_seen_from(place, x, still, params, rng.fork(number)), box) for number, place in places(params)
        ]
        for name, x in named.items()
    }


def places(params: StationsParams) -> "enumerate[tuple[float, float]]":
    """The stations with their numbers."""
    return enumerate(params.stations)


def _seen_from(place: tuple[float, float], x: Tensor, scene: Scene, params: StationsParams, rng: Draws) -> Tensor:
    distance, degrees = place
    across = params.focal * params.side / distance / params.fill  # pixels of the camera for the whole frame
    every = torch.ones(len(x), dtype=x.dtype, device=x.device)
    poses = station(
        x,
        halves=every * (2 * distance / params.side),
        degrees=every * degrees,
        pixels=every * across,
        scale=params.fill,
    )
    return photograph(x, poses, scene, rng, frame=(x.shape[2], x.shape[3]))


def _driven(subject: Subject, pair: Pair, rows: Mapping[str, Tensor]) -> Drive:
    meant = of_source(pair.fitted, subject.data.y)
    said = {name: rows[f"{name}.{pair.key}"][meant] for name in ("control", "perturbed")}
    return Drive(pair=pair, y=subject.data.y[meant], said=said)
