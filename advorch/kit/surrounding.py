"""Stages that put something around a model that is there: read it, surround it, hand on both as one."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from advorch.artifacts import Input, Outcome, StoredInput
from advorch.canonical import Json
from advorch.components import Wrapper
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.checks import check_fit
from advorch.kit.attack.traceless import untouched
from advorch.kit.codecs import ModelRecord, read_record
from advorch.kit.handover import hand_over
from advorch.kit.inputs import OpenModel, build_around, find_model, named, open_data, open_model
from advorch.kit.training.ranks import Ranks
from advorch.kit.training.validation import Validator
from advorch.params import ModelRef
from advorch.protocols import StageContext

_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrounded:
    """A module around one that a stage was given, in evaluation mode, and how to build it again."""

    module: nn.Module
    inner: OpenModel
    record: ModelRecord


def surround(context: StageContext, wrapper: str, options: Mapping[str, Json], *, label: str) -> Surrounded:
    """What the `model` port brings inside a wrapper with these parameters; weights of its own are yet to be learnt."""
    source = context.inputs["model"][0]
    inner, found = open_model(context, source), recorded(source)
    ref = ModelRef.parse({"uses": wrapper, "with": {**options, "inner": named(found)}})
    component, params = find_model(context, ref)
    if not isinstance(component, Wrapper):
        raise StageFailed(f"'{ref.id}' surrounds no model", error_class=ErrorClass.USER)
    module = build_around(component, params, inner.signature, inner.module, seed=context.seeds.stream("init"))
    record = ModelRecord(
        component=ref.id,
        params=params.plain(),
        signature=inner.signature,
        access=inner.access,
        label=f"{label} {inner.label}",
    )
    return Surrounded(module=module.to(context.device).eval(), inner=inner, record=record)


def recorded(source: Input) -> ModelRecord:
    """What a connected model says of itself."""
    if not isinstance(source, StoredInput):
        raise StageFailed("a model port takes a stage's model, not declared data", error_class=ErrorClass.USER)
    return read_record(source.folder)


def measured(context: StageContext, made: Surrounded) -> dict[str, float]:
    """The clean accuracy on the `data` port, where it is connected."""
    connected = context.inputs.get("data", ())
    if not connected:
        return {}
    data = open_data(context, connected[0])
    check_fit(made.record.signature, data.signature)
    with untouched(made.module, seed=context.seeds.stream("measured")):
        return Validator(data, _BATCH, seed=0).measure(made.module, Ranks(context.rank, context.world_size))


def hand_on(context: StageContext, made: Surrounded, metrics: dict[str, float]) -> Outcome:
    """The model artifact of both."""
    return hand_over(context, made.module, made.record, metrics)
