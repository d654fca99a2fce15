"""What stands behind a stage's inputs and references: samples, architectures and trained models."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from advorch.artifacts import ArtifactType, DataInput, Input, Signature, StoredInput
from advorch.canonical import Json
from advorch.components import AnyComponent, Model, Wrapper
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.refusal import check_answers
from advorch.kit.codecs import ModelRecord, read_data, read_history, read_model, read_record
from advorch.kit.data import Data
from advorch.kit.repeatable import same_draws
from advorch.params import DatasetRef, ModelRef, Params, location_fields
from advorch.threat import Access

_SPLIT = re.compile(r"(?P<name>[\w-]+)(\[(?P<start>-?\d+)?:(?P<stop>-?\d+)?\])?")


class Lookup(Protocol):
    """The part of a stage's context that finds components."""

    device: str

    def lookup(self, component: str) -> AnyComponent:
        """A component by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenModel:
    """A trained model in evaluation mode, on the context's device."""

    module: nn.Module
    signature: Signature
    access: Access
    label: str
    digest: str
    history: tuple[Mapping[str, float], ...] = ()


def open_data(context: Lookup, source: Input) -> Data:
    """Samples, wherever they come from, in main memory."""
    if isinstance(source, DataInput):
        return load_split(context, source)
    if source.artifact.type is ArtifactType.ADVERSARIAL:
        from advorch.kit.adversarial_set import read_adversarial

        return read_adversarial(source.folder).as_data()
    return read_data(source.folder)


def load_split(context: Lookup, source: DataInput) -> Data:
    """A declared split, or the part of it that an expression such as `train[:1000]` names."""
    name, part = parse_split(source.split)
    component = context.lookup(source.uses if "/" in source.uses else f"{DatasetRef.family}/{source.uses}")
    data: Data = component.load()(component.nested_schema().parse(source.params), name)
    chosen = data.take(part)
    if not len(chosen):
        message = f"split '{source.split}' of '{source.uses}' is empty: '{name}' has {len(data)} samples"
        raise StageFailed(message, error_class=ErrorClass.USER)
    return chosen


def parse_split(expression: str) -> tuple[str, slice]:
    """The split's name and the slice of it, which counts as Python does."""
    match = _SPLIT.fullmatch("".join(expression.split()))
    if not match:
        hint = "write `train`, or a part of it: `train[:1000]`"
        raise StageFailed(f"'{expression}' is no split", error_class=ErrorClass.USER, hint=hint)
    start, stop = (int(match[end]) if match[end] else None for end in ("start", "stop"))
    return match["name"], slice(start, stop)


def open_model(context: Lookup, source: Input) -> OpenModel:
    """A model that an earlier cell committed."""
    if not isinstance(source, StoredInput):
        raise StageFailed("a model port takes a stage's model, not declared data", error_class=ErrorClass.USER)
    record = read_record(source.folder)
    module = read_model(source.folder, lambda found: rebuild(context, found))
    return OpenModel(
        module=module.to(context.device).eval(),
        signature=record.signature,
        access=record.access,
        label=record.label,
        digest=source.artifact.digest,
        history=read_history(source.folder),
    )


def rebuild(context: Lookup, record: ModelRecord) -> nn.Module:
    """A recorded architecture, whose weights are still to come; the global random state is left alone."""
    return build_model(context, ModelRef.parse(named(record)), record.signature, seed=0)


def build_model(context: Lookup, ref: ModelRef, signature: Signature, *, seed: int) -> nn.Module:
    """The architecture that a reference names, initialised from the seed, the same on every rank."""
    component, params = find_model(context, ref)
    if isinstance(component, Wrapper):
        inner = _build_inside(context, component, params, signature, seed=seed)
        return build_around(component, params, signature, inner, seed=seed)
    with same_draws(seed):
        module: nn.Module = component.load()(params, signature)
    return module


def _build_inside(
    context: Lookup, component: Wrapper[Any], params: Any, signature: Signature, *, seed: int
) -> nn.Module:
    if not component.codes:
        return build_model(context, params.inner, signature, seed=seed)
    from advorch.kit.adversary.opening import behind, recorded  # opens what it builds by this module

    record = recorded(params)
    return behind(context, record, params.label, build_model(context, params.inner, record.signature, seed=seed))


def build_around(
    component: Wrapper[Any], params: Params, signature: Signature, inner: nn.Module, *, seed: int
) -> nn.Module:
    """What surrounds a module that is there already, initialised from the seed."""
    check_answers(inner, f"the model inside '{component.name}'", "put what refuses around everything else")
    with same_draws(seed):
        module: nn.Module = component.load()(params, signature, inner)
    return module


def describe_model(context: Lookup, ref: ModelRef, signature: Signature, *, label: str) -> ModelRecord:
    """What to write beside the weights. Locations are left out: the weights that came from them are in the artifact."""
    component, params = find_model(context, ref)
    places = location_fields(type(params))
    kept: dict[str, Json] = {name: value for name, value in params.plain().items() if name not in places}
    if isinstance(component, Wrapper):
        inner = describe_model(context, params.inner, signature, label=label)
        kept["inner"], access = named(inner), inner.access
    else:
        access = component.grants(params)
    return ModelRecord(component=ref.id, params=kept, signature=signature, access=access, label=label)


def named(record: ModelRecord) -> dict[str, Json]:
    """A recorded architecture as the parameters of another name it."""
    return {"uses": record.component.removeprefix(f"{ModelRef.family}/"), "with": dict(record.params)}


def find_model(context: Lookup, ref: ModelRef) -> tuple[Model[Any] | Wrapper[Any], Any]:
    """The component behind a reference and its checked parameters."""
    component = context.lookup(ref.id)
    if not isinstance(component, Model | Wrapper):
        raise StageFailed(f"'{ref.id}' is no model", error_class=ErrorClass.USER)
    return component, component.nested_schema().parse(ref.with_)


def content_digest(source: Input) -> str:
    """What an input holds, whether it was committed or is loaded anew."""
    return source.artifact.digest if isinstance(source, StoredInput) else source.digest
