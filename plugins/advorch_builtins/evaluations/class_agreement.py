"""Classes of generated samples, as classifiers that were trained on data see them."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from advorch.kit.data import Data
from advorch.kit.evaluation.figures import is_image
from advorch.kit.evaluation.findings import Figure, Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.panels import Tile, shown_box, tile_grid, unit
from advorch.kit.evaluation.statistics import Proportion, proportion
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations.catalog_generated import ClassAgreementParams

_COLUMNS = ("model", "class", "samples", "share", "agree", "low", "high", "share of data")
_CAPTION = (
    "Samples by the class that the model takes them for; `agree` is of those that were asked to be of the class, with "
    "its 95% interval."
)


class ClassAgreement:
    """Batches are of generated samples, whose labels are what was asked for; -1 says that nothing was."""

    def map(self, subject: Subject, batch: Data, params: ClassAgreementParams) -> Mapping[str, Tensor]:
        """What each model takes each sample for, and how sure it is."""
        rows: dict[str, Tensor] = {}
        for place, model in enumerate(subject.models):
            sure, label = _judged(model, batch.x).max(1)
            rows |= {f"label/{place}": label, f"sure/{place}": sure}
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: ClassAgreementParams) -> Findings:
        """By class and in all, beside the accuracy on the data, which agreement can hardly exceed."""
        asked, lines, metrics, figures = subject.walked.y.cpu(), [], [], dict[str, Figure]()
        for place, model in enumerate(subject.models):
            label = rows[f"label/{place}"]
            lines += _lines(model.label, label, asked, subject.data)
            metrics.append(_metrics(label, asked, rows[f"sure/{place}"], subject, model))
            if is_image(subject.data.x.shape[1:]):
                title = f"Generated samples by the class seen: {model.label}"
                figures[title] = partial(_sheet, subject, label, asked, params.shown)
        look = Look(shares=frozenset({"share", "agree", "low", "high", "share of data"}))
        return Findings(
            metrics=metrics_by_label([model.label for model in subject.models], metrics),
            tables={"Classes": Table(_COLUMNS, tuple(lines), _CAPTION, look)},
            figures=figures,
            notes=[] if bool((asked >= 0).any()) else ["No class was asked for, so that there is nothing to agree to."],
        )


@torch.no_grad()
def _judged(model: SubjectModel, x: Tensor) -> Tensor:
    shares: Tensor = model.module(x).softmax(1)
    return shares


def _lines(name: str, label: Tensor, asked: Tensor, data: Data) -> list[tuple[Value, ...]]:
    lines: list[tuple[Value, ...]] = []
    for number, title in enumerate(data.classes):
        seen, wanted = label == number, asked == number
        agree = Proportion(int((seen & wanted).sum()), int(wanted.sum())).bounded
        share, usual = (float(flags.double().mean()) for flags in (seen, data.y == number))
        lines.append((name, title, int(seen.sum()), share, *agree, usual))
    return lines


def _metrics(label: Tensor, asked: Tensor, sure: Tensor, subject: Subject, model: SubjectModel) -> dict[str, float]:
    counts = torch.bincount(label, minlength=len(subject.data.classes))
    known = asked >= 0
    agreed = {"agreement": proportion(label[known] == asked[known]).value} if bool(known.any()) else {}
    real = [model.predict(part.to(subject.device)).cpu() for part in torch.split(subject.data.x, 512)]
    return agreed | {
        "smallest_class": float(counts.min()) / len(label),
        "confidence": float(sure.double().mean()),
        "real_accuracy": float((torch.cat(real) == subject.data.y).double().mean()),
    }


def _sheet(subject: Subject, label: Tensor, asked: Tensor, shown: int) -> bytes:
    """A row a class that was asked for, or that is seen where nothing was asked; what disagrees is marked."""
    conditional = bool((asked >= 0).any())
    rows: dict[str, list[Tile]] = {}
    box = shown_box(subject.data.box, subject.walked.x)
    for number, title in enumerate(subject.data.classes):
        places = ((asked if conditional else label) == number).nonzero().flatten()[:shown].tolist()
        rows[title] = [
            Tile(
                image=unit(subject.walked.x[place], box),
                caption=subject.data.classes[int(label[place])] if conditional else "",
                wrong=int(label[place]) != number if conditional else None,
            )
            for place in places
        ] or [Tile(image=torch.ones_like(subject.walked.x[0]), caption="none")]
    return tile_grid(rows, side=0.6, heading="class asked for" if conditional else "class seen")
