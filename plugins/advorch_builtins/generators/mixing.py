"""Several data sets as one."""

import torch

from advorch.api import ArtifactType, ErrorClass, Outcome, StageContext, StageFailed
from advorch.kit.data import Data
from advorch.kit.inputs import open_data
from advorch_builtins.generators.catalog_uses import MixParams
from advorch_builtins.generators.handing import hand_on


def mix(context: StageContext, params: MixParams) -> Outcome:
    """One after the other; what trains on it shuffles."""
    parts = [open_data(context, source) for source in context.inputs["data"]]
    _check(parts)
    joined = Data(
        x=torch.cat([part.x for part in parts]),
        y=torch.cat([part.y for part in parts]),
        ids=torch.arange(sum(map(len, parts))),
        classes=parts[0].classes,
        box=parts[0].box,
        vocabulary=parts[0].vocabulary,
    )
    output = hand_on(context.scratch / "data", joined, ArtifactType.DATASET)
    return Outcome(outputs={"data": output}, metrics={"samples": float(len(joined))})


def _check(parts: list[Data]) -> None:
    """Of one kind, and every sample of a class: nothing else can be trained on."""
    for place, part in enumerate(parts, start=1):
        if (part.signature, part.vocabulary) != (parts[0].signature, parts[0].vocabulary):
            message = f"data set {place} is of shape {part.signature.shape}, classes {', '.join(part.classes[:5])} and "
            message += f"box {part.box}, and the first is not"
            raise StageFailed(message, error_class=ErrorClass.USER, hint="mix samples of one kind")
        if bool((part.y < 0).any()):
            hint = "ask a conditional generator, or connect a model to `generate/sample`, which then names classes"
            raise StageFailed(f"data set {place} has samples of no class", error_class=ErrorClass.USER, hint=hint)
