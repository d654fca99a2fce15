"""What a net says of an object from poses that nothing was fitted to: Athalye et al., ICML 2018, table 2.

A texture is seen on its own object, once for each draw of each sample: the sample only says which numbers are drawn. A
sticker, a patch or a universal perturbation is put on the sample, and the sample is seen as a photo on a plate. The
control is the same object without the perturbation, from the same poses, in the same light; what is printed is also
compared with a blank of its shape, since a sticker hides what is below it whatever it shows.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject
from advorch.kit.perturbation.applying import apply, of_source
from advorch.kit.perturbation.fitted import Fitted, Kind
from advorch.kit.perturbation.poses import drawn
from advorch.kit.perturbation.render import photograph
from advorch.kit.perturbation.scene import Scene
from advorch.kit.perturbation.units import from_unit, image_range, to_unit
from advorch_builtins.evaluations import poses_report
from advorch_builtins.evaluations.catalog_fitted import PosesParams
from advorch_builtins.evaluations.fitted_pairs import Pair, named_metrics, pairs, true_labels
from advorch_builtins.evaluations.poses_report import Seen

_NOBODY = -1


class PosesEvaluation:
    """Every perturbation and its control on every model."""

    def map(self, subject: Subject, batch: Data, params: PosesParams) -> Mapping[str, Tensor]:
        """Labels by draw; nothing where a sample is not what the perturbation was made for."""
        image_range(subject.data.signature)
        rows: dict[str, Tensor] = {}
        for pair in pairs(subject, *Kind):
            meant = _meant(pair.fitted, batch.y)
            for name in surfaces(pair.fitted.print.kind):
                rows[f"{name}.{pair.key}"] = torch.full((len(batch), params.draws), _NOBODY)
            if bool(meant.any()):
                for number in range(params.draws):
                    views = look(subject, pair.fitted, batch.take(meant), params, number)
                    for name, images in views.items():
                        rows[f"{name}.{pair.key}"][meant.cpu(), number] = pair.model.predict(images).cpu()
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: PosesParams) -> Findings:
        """Shares of true, target and other, and what it looks like."""
        found = [_seen(subject, pair, rows) for pair in pairs(subject, *Kind)]
        return Findings(
            metrics=named_metrics([(one.pair, one.metrics()) for one in found]),
            tables=poses_report.tables(found),
            figures=poses_report.figures(found, subject, params, look),
            notes=poses_report.notes(found),
        )


def look(subject: Subject, fitted: Fitted, batch: Data, params: PosesParams, number: int) -> dict[str, Tensor]:
    """One view a sample, without and with the perturbation."""
    box, printed = image_range(subject.data.signature), fitted.print
    scene = params.scene or (Scene.parse(printed.how["scene"]) if "scene" in printed.how else Scene())  # type: ignore[arg-type]
    rng = Draws(subject.seed, batch.ids).fork("poses").fork(number)
    if printed.kind is Kind.TEXTURE:
        assert printed.original is not None
        before, after = (surface.to(batch.x).expand_as(batch.x) for surface in (printed.original, printed.pattern))
    else:
        before, after = batch.x, apply(printed, batch.x, rng.fork("worn"), batch.box)
    poses, frame = drawn(scene, rng, batch.x), (batch.x.shape[2], batch.x.shape[3])
    named = {"control": before, "perturbed": after}
    if "blank" in surfaces(printed.kind):
        blank = replace(printed, pattern=torch.full_like(printed.pattern, sum(box) / 2))
        named["blank"] = apply(blank, batch.x, rng.fork("worn"), batch.box)
    return {
        name: from_unit(photograph(to_unit(named[name], box), poses, scene, rng, frame=frame), box)
        for name in surfaces(printed.kind)
    }


def surfaces(kind: Kind) -> tuple[str, ...]:
    """What the object wears in turn."""
    return ("control", "blank", "perturbed") if kind in (Kind.STICKER, Kind.PATCH) else ("control", "perturbed")


def _meant(fitted: Fitted, y: Tensor) -> Tensor:
    return torch.ones_like(y, dtype=torch.bool) if fitted.print.kind is Kind.TEXTURE else of_source(fitted, y)


def _seen(subject: Subject, pair: Pair, rows: Mapping[str, Tensor]) -> Seen:
    meant = _meant(pair.fitted, subject.data.y)
    return Seen(
        pair=pair,
        y=true_labels(pair.fitted, subject.data.y)[meant],
        labels={name: rows[f"{name}.{pair.key}"][meant] for name in surfaces(pair.fitted.print.kind)},
    )
