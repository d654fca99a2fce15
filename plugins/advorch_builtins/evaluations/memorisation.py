"""Do generated samples repeat the training set? Their distances to it against those of data that was held out."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from advorch.kit.data import Data
from advorch.kit.evaluation.features import features
from advorch.kit.evaluation.figures import is_image
from advorch.kit.evaluation.findings import Findings, Look, Table, metrics_by_label
from advorch.kit.evaluation.neighbours import Memory, memory, nearest
from advorch.kit.evaluation.panels import Tile, shown_box, tile_grid, unit
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.catalog_generated import MemorisationParams

_COLUMNS = ("space", "digest", "ratio", "share")
_CAPTION = (
    "Ratio of the median distances to the nearest training sample, generated against held out: about 1 where nothing "
    "is repeated, 0 of copies. Share of generated samples nearer to the training set than 99 of 100 held-out ones: 1% "
    "by chance."
)


class Memorisation:
    """Batches are of generated samples; the data is what they were trained on."""

    def map(self, subject: Subject, batch: Data, params: MemorisationParams) -> Mapping[str, Tensor]:
        """The nearest training sample of each, by its values."""
        found = nearest(batch.x, subject.data.x.to(batch.x.device))
        return {"distance": found.distance[:, 0], "nearest": found.place[:, 0]}

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: MemorisationParams) -> Findings:
        """In values, and in the features of every model."""
        fresh = subject.datasets["held_out"].x[: params.samples]
        plain = memory(rows["distance"][: params.samples], nearest(fresh, subject.data.x).distance[:, 0])
        lines = [("values", "", plain.ratio, plain.share)]
        seen: list[dict[str, float]] = []
        for model in subject.models:
            of = partial(features, model.module, device=subject.device)
            known = of(subject.data.x)
            found = memory(*(nearest(of(x), known).distance[:, 0] for x in (subject.walked.x[: params.samples], fresh)))
            lines.append((f"features of {model.label}", model.digest[:12], found.ratio, found.share))
            seen.append(_metrics(found, "_features"))
        table = Table(_COLUMNS, tuple(lines), _CAPTION, Look(shares=frozenset({"share"})))
        images = is_image(subject.data.x.shape[1:])
        return Findings(
            metrics=_metrics(plain, "") | metrics_by_label([model.label for model in subject.models], seen),
            tables={"Memorisation": table},
            figures={"Generated, and nearest in training": partial(_pairs, subject, rows, params)} if images else {},
        )


def _metrics(found: Memory, suffix: str) -> dict[str, float]:
    known = {} if found.ratio != found.ratio else {f"memory_ratio{suffix}": found.ratio}
    return known | {f"memory_share{suffix}": found.share}


def _pairs(subject: Subject, rows: Mapping[str, Tensor], params: MemorisationParams) -> bytes:
    """The first samples as they come, and below each its neighbour with the distance."""
    box = shown_box(subject.data.box, subject.data.x)
    lines: dict[str, list[Tile]] = {}
    for line in range(params.rows):
        part = torch.arange(line * params.columns, min((line + 1) * params.columns, len(subject.walked)))
        if not len(part):
            break
        blank = " " * line  # names are keys
        lines[f"generated{blank}"] = [Tile(image=unit(x, box)) for x in subject.walked.x[part]]
        lines[f"nearest{blank}"] = [
            Tile(image=unit(subject.data.x[int(rows["nearest"][place])], box), caption=f"{rows['distance'][place]:.2f}")
            for place in part.tolist()
        ]
    return tile_grid(lines, side=0.7, heading="generated samples and their nearest training sample, with its distance")
