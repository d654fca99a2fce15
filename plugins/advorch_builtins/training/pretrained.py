"""A model that somebody else trained, as an artifact."""

from advorch.api import Outcome, StageContext
from advorch.kit.handover import hand_over
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
    return hand_over(context, module, record, metrics)
