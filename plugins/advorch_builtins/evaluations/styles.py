"""Styles and classes: the code of one sample decoded as every class (Makhzani et al. 2015, figure 6)."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.adversary.opening import OpenGenerator
from advorch.kit.data import Data
from advorch.kit.evaluation.codes import probe
from advorch.kit.evaluation.figures import is_image
from advorch.kit.evaluation.findings import Figure, Findings, Look, Table, metrics_by_label
from advorch.kit.evaluation.panels import Tile, shown_box, tile_grid, unit
from advorch.kit.evaluation.statistics import proportion
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.catalog_codes import StylesParams

_COLUMNS = ("generator", "model", "agreement", "low", "high", "class read off the style", "the most frequent class")
_CAPTION = (
    "Agreement: of samples decoded under every class, those that the model takes for the class asked for (95% "
    "interval). What a linear model reads off styles is best near the share of the most frequent class, where they "
    "hide it."
)


class Styles:
    """Batches are of samples whose styles are taken."""

    def map(self, subject: Subject, batch: Data, params: StylesParams) -> Mapping[str, Tensor]:
        """The style of each, by generator."""
        return {f"code/{place}": generator.encode(batch.x) for place, generator in enumerate(subject.generators)}

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: StylesParams) -> Findings:
        """Every model's opinion of every generator."""
        lines, labels, metrics, figures = [], [], [], dict[str, Figure]()
        majority = float(torch.bincount(subject.data.y).max()) / len(subject.data)
        for place, generator in enumerate(subject.generators):
            _check(generator)
            code = rows[f"code/{place}"]
            read = probe(code, subject.data.y)
            y, x = _under_every_class(generator, code[: params.samples].to(subject.device))
            for model in subject.models:
                share = proportion(model.predict(x).cpu() == y.cpu())
                lines.append((generator.label, model.label, *share.bounded, read, majority))
                labels.append(f"{generator.label} {model.label}")
                metrics.append({"agreement": share.value, "probe": read, "majority": majority})
            if is_image(subject.data.x.shape[1:]):
                figures[f"Styles by class: {generator.label}"] = partial(_sheet, subject, x.cpu(), params.rows)
        look = Look(shares=frozenset(_COLUMNS[2:]), intervals=(("agreement", "low", "high"),))
        return Findings(
            metrics=metrics_by_label(labels, metrics),
            tables={"Styles": Table(_COLUMNS, tuple(lines), _CAPTION, look)},
            figures=figures,
        )


def _check(generator: OpenGenerator) -> None:
    if not generator.latent.classes:
        message = f"generator '{generator.label}' is told no classes"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="such as `aae-style` is")


@torch.no_grad()
def _under_every_class(generator: OpenGenerator, code: Tensor) -> tuple[Tensor, Tensor]:
    """Classes and samples, style by style."""
    classes = generator.latent.classes
    y = torch.arange(classes, device=code.device).repeat(len(code))
    return y, generator.latent.decode(code.repeat_interleave(classes, 0), y)


def _sheet(subject: Subject, x: Tensor, rows: int) -> bytes:
    """The sample first, then its style under every class."""
    classes, box = len(subject.data.classes), shown_box(subject.data.box, subject.data.x)
    lines: dict[str, list[Tile]] = {}
    for row in range(min(rows, len(x) // classes)):
        own = [Tile(image=unit(subject.data.x[row], box), caption="style of")]
        made = [
            Tile(image=unit(image, box), caption=name if row == 0 else "")
            for image, name in zip(x[row * classes : (row + 1) * classes], subject.data.classes, strict=True)
        ]
        lines[" " * row] = own + made
    return tile_grid(lines, side=0.62, heading="left: a held-out sample; then its style under every class")
