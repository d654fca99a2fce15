"""A model as a stage's output."""

from collections.abc import Mapping, Sequence

from torch import nn

from advorch.artifacts import ArtifactType, Outcome, Output
from advorch.kit.codecs import ModelRecord, write_history, write_model
from advorch.protocols import StageContext


def hand_over(
    context: StageContext,
    module: nn.Module,
    record: ModelRecord,
    metrics: dict[str, float],
    history: Sequence[Mapping[str, float]] = (),
) -> Outcome:
    """The model artifact, always in fp32, with what was measured on the way; rank 0 writes it."""
    if context.rank:
        return Outcome(outputs={}, metrics=metrics)
    folder = context.scratch / "model"
    write_model(folder, module.float(), record)
    if history:
        write_history(folder, history)
    meta = {"label": record.label, "component": record.component, "access": record.access.value}
    output = Output(type=ArtifactType.MODEL, folder=folder, meta=meta)
    return Outcome(outputs={"model": output}, metrics=metrics)
