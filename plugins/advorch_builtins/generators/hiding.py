"""Labels taken away, but for a few of each class."""

from dataclasses import replace

import torch
from torch import Tensor

from advorch.api import ArtifactType, ErrorClass, Outcome, StageContext, StageFailed
from advorch.kit.data import Data
from advorch.kit.inputs import open_data
from advorch_builtins.generators.catalog_uses import HideLabelsParams
from advorch_builtins.generators.handing import UNKNOWN, hand_on


def hide_labels(context: StageContext, params: HideLabelsParams) -> Outcome:
    """All samples, of which so many keep their label; and those by themselves, equally many of each class."""
    data = open_data(context, context.inputs["data"][0])
    kept = _chosen(data, params.labels, context.seeds.stream("labels"))
    y = torch.full_like(data.y, UNKNOWN)
    y[kept] = data.y[kept]
    outputs = {
        "data": hand_on(context.scratch / "data", replace(data, y=y), ArtifactType.DATASET),
        "labelled": hand_on(context.scratch / "labelled", data.take(kept), ArtifactType.DATASET),
    }
    return Outcome(outputs=outputs, metrics={"labels": float(len(kept))})


def _chosen(data: Data, labels: int, seed: int) -> Tensor:
    """Places in their order."""
    classes = len(data.classes)
    if labels % classes:
        hint = f"set `labels` to a multiple of {classes}, such as {max(1, labels // classes) * classes}"
        raise StageFailed(
            f"{labels} labels do not divide among {classes} classes", error_class=ErrorClass.USER, hint=hint
        )
    rng = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(data), generator=rng)
    parts = [order[data.y[order] == label][: labels // classes] for label in range(classes)]
    if (fewest := min(map(len, parts))) < labels // classes:
        message = f"a class has {fewest} samples, and {labels // classes} of each are to keep their label"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="lower `labels`")
    return torch.cat(parts).sort().values
