"""Samples and what models say of them: a grid, clean and attacked, and one image under every attack."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from advorch.kit.data import Data
from advorch.kit.evaluation.figures import is_image
from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.panels import Tile, shown_box, stretched, tile_grid, unit
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.catalog_explaining import GalleryParams
from advorch_builtins.evaluations.verdicts import Duel, Standing, judge, standings, worst_of

_COLUMNS = (
    "model", "attack", "accuracy", "low", "high", "numbers changed", "linf", "l2", "l1", "fooled samples",
)  # fmt: skip
_CAPTION = (
    "Accuracy under each attack of those samples that it tried; sizes are means over the samples that it fooled, in "
    "every norm whichever one the attack was held to, and numbers changed are a share of all numbers of a sample."
)
_CHANGED = 1e-6


class Gallery:
    """Batches are of clean samples; adversarial ones are found by their ids and judged again."""

    def map(self, subject: Subject, batch: Data, params: GalleryParams) -> Mapping[str, Tensor]:
        """Every model's prediction on each sample, clean and as each set has it."""
        return judge(subject, batch)

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: GalleryParams) -> Findings:
        """Pictures, and a table of how large and how sparse the perturbations are."""
        found = standings(subject, rows)
        return Findings(
            metrics=metrics_by_label([item.model.label for item in found], [_metrics(item) for item in found]),
            tables={"Perturbations": _table(found, subject.data)},
            figures=_figures(found, subject.data, params) if is_image(subject.data.x.shape[1:]) else {},
            notes=[
                "A wrong prediction has a heavy frame and a cross before it; the first samples are shown, not the best."
            ],
        )


def _metrics(standing: Standing) -> dict[str, float]:
    metrics = {"clean_accuracy": float(standing.correct.double().mean())}
    worst = worst_of(standing.own)
    return metrics | ({"robust_accuracy": worst.accuracy.value} if worst else {})


def _table(found: Sequence[Standing], data: Data) -> Table:
    rows = tuple(_row(standing, duel, data) for standing in found for duel in standing.own)
    look = Look(
        shares=frozenset({"accuracy", "low", "high", "numbers changed"}), intervals=(("accuracy", "low", "high"),)
    )
    return Table(_COLUMNS, rows, _CAPTION, look)


def _row(standing: Standing, duel: Duel, data: Data) -> tuple[Value, ...]:
    fooled = standing.fooled_by(duel)
    sizes: list[Value] = [None] * 4
    if fooled.any():
        change = (duel.set.samples.adversarial[duel.position[fooled]] - data.x[fooled]).flatten(1).double()
        each = [
            (change.abs() > _CHANGED).double().mean(1),
            change.abs().amax(1),
            change.norm(dim=1),
            change.abs().sum(1),
        ]
        sizes = [float(values.mean()) for values in each]
    return (standing.model.label, duel.set.label, *duel.accuracy.bounded, *sizes, int(fooled.sum()))


def _figures(found: Sequence[Standing], data: Data, params: GalleryParams) -> dict[str, Callable[[], bytes]]:
    result: dict[str, Callable[[], bytes]] = {}
    for standing in found:
        label = standing.model.label
        for duel in standing.own:
            result[f"{duel.set.label}: {label}"] = partial(_grid, standing, duel, data, params)
        if len(standing.own) > 1 and (chosen := _everywhere_fooled(standing)):
            row = chosen[min(params.compare, len(chosen) - 1)]
            result[f"One image under every attack: {label}"] = partial(_one, standing, row, data)
    return result


def _everywhere_fooled(standing: Standing) -> list[int]:
    """Samples that every attack fooled; if there are none, those that all of them tried."""
    fooled = torch.stack([standing.fooled_by(duel) for duel in standing.own]).all(0)
    tried = torch.stack([duel.covered for duel in standing.own]).all(0)
    return [int(row) for row in (fooled if fooled.any() else tried).nonzero().flatten()]


def _grid(standing: Standing, duel: Duel, data: Data, params: GalleryParams) -> bytes:
    """Rows in pairs: samples as they are, and below each as the attack has it."""
    chosen = duel.covered.nonzero().flatten()[: params.columns * params.rows].tolist()
    box = shown_box(data.box, data.x)
    rows: dict[str, list[Tile]] = {}
    for start in range(0, len(chosen), params.columns):
        part = chosen[start : start + params.columns]
        pair = " " * (start // params.columns)  # names are keys
        rows[f"clean{pair}"] = [_tile(unit(data.x[row], box), int(standing.clean[row]), row, data) for row in part]
        rows[f"attacked{pair}"] = [
            _tile(unit(duel.set.samples.adversarial[duel.position[row]], box), int(duel.predicted[row]), row, data)
            for row in part
        ]
    return tile_grid(rows, side=0.85, heading=f"{standing.model.label}, {duel.set.label}: what the model sees")


def _tile(image: Tensor, seen: int, row: int, data: Data) -> Tile:
    return Tile(image=image, caption=data.classes[seen], wrong=seen != int(data.y[row]))


def _one(standing: Standing, row: int, data: Data) -> bytes:
    """A column an attack: the image, and below it what was added, about grey."""
    box = shown_box(data.box, data.x)
    tops = [_tile(unit(data.x[row], box), int(standing.clean[row]), row, data)]
    below = [Tile(image=torch.full_like(data.x[row], 0.5), caption="no change")]
    for duel in standing.own:
        z = duel.set.samples.adversarial[duel.position[row]]
        tops.append(_tile(unit(z, box), int(duel.predicted[row]), row, data))
        below.append(Tile(image=stretched(z - data.x[row]), caption=_size(duel, (z - data.x[row]).double())))
    names = ["clean", *(f"{duel.set.samples.attack.partition('/')[2]} {duel.set.threat}" for duel in standing.own)]
    tops = [
        Tile(image=tile.image, caption=f"{tile.caption}\n{name}", wrong=tile.wrong)
        for name, tile in zip(names, tops, strict=True)
    ]
    return tile_grid({"image": tops, "change": below}, side=1.6, heading=standing.model.label)


def _size(duel: Duel, change: Tensor) -> str:
    count = int((change.abs() > _CHANGED).sum())
    return (
        f"linf {float(change.abs().max()):.2f}, l2 {float(change.norm()):.2f}, l1 {float(change.abs().sum()):.3g}\n"
        f"{count} of {change.numel()} numbers"
    )
