"""A model that somebody else trained, as an artifact."""

from advorch.api import ArtifactType, Outcome, Output, StageContext
from advorch.kit.codecs import write_model
from advorch.kit.inputs import build_model, describe_model, open_data
from advorch.kit.training.ranks import Ranks
from advorch.kit.training.validation import Validator
from advorch_builtins.training.catalog import PretrainedParams

_BATCH = 256


def run(context: StageContext, params: PretrainedParams) -> Outcome:
    """Build it, see that it classifies the data, and write it down."""
    data = open_data(context, context.inputs["data"][0])
    label = params.label or f"pretrained {params.model.uses}"
    record = describe_model(context, params.model, data.signature, label=label)
    module = build_model(context, params.model, data.signature, seed=context.seeds.stream("init")).to(context.device)
    metrics = Validator(data, _BATCH, seed=0).measure(module, Ranks(context.rank, context.world_size))
    folder = context.scratch / "model"
    write_model(folder, module.float(), record)
    meta = {"label": label, "component": record.component, "access": record.access.value}
    return Outcome(outputs={"model": Output(type=ArtifactType.MODEL, folder=folder, meta=meta)}, metrics=metrics)
