"""A classifier behind a generator: attacked through its codes, it meets samples that no norm holds near to any other.

Song, Shu, Kushman and Ermon, "Constructing unrestricted adversarial examples with generative models", NeurIPS 2018
(arXiv:1805.07894): a code whose sample is of the class that was asked for, and is taken for another.
"""

from typing import Any

import torch
from torch import nn

from advorch.api import ArtifactType, Outcome, Signature, StageContext
from advorch.kit.adversary.opening import OpenGenerator, behind, open_generator
from advorch.kit.attack.checks import check_fit
from advorch.kit.codecs import ModelRecord, read_record
from advorch.kit.data import Data
from advorch.kit.handover import hand_over
from advorch.kit.inputs import named, open_model
from advorch_builtins.generators.catalog_uses import BehindGeneratorParams, ComposeParams
from advorch_builtins.generators.handing import hand_on

_BATCH = 512


def build(params: BehindGeneratorParams, signature: Signature, inner: nn.Module) -> nn.Module:
    """Generator and classifier are already one."""
    return inner


def compose(context: StageContext, params: ComposeParams) -> Outcome:
    """The model, and codes labelled with the class asked for, or with the one that the classifier sees."""
    source = context.inputs["model"][0]
    generator, model = open_generator(context, context.inputs["generator"][0]), open_model(context, source)
    check_fit(model.signature, generator.signature)
    label = generator.asked(params.class_)
    inside = read_record(source.folder)  # type: ignore[union-attr]  # open_model took it
    module = behind(context, generator.record, label, model.module)
    module.decoder.generator.load_state_dict(generator.game.generator.state_dict())  # type: ignore[union-attr]
    module = module.to(context.device).eval()
    codes, agreement = _codes(context, generator, module, label, params.samples)
    record = _record(generator, inside, codes.signature, label)
    outcome = hand_over(context, module, record, {"agreement": agreement})
    output = hand_on(context.scratch / "codes", codes, ArtifactType.DATASET)
    return Outcome(outputs={**outcome.outputs, "codes": output}, metrics=outcome.metrics)


def _record(generator: OpenGenerator, inside: ModelRecord, signature: Signature, label: int) -> ModelRecord:
    params: dict[str, Any] = {
        "component": generator.record.component, "arguments": dict(generator.record.params),
        "samples": generator.signature.plain(),
        "label": label, "inner": named(inside),
    }  # fmt: skip
    return ModelRecord(
        component="model/behind-generator",
        params=params,
        signature=signature,
        access=inside.access,
        label=f"{inside.label} behind {generator.label}",
    )


@torch.no_grad()
def _codes(
    context: StageContext, generator: OpenGenerator, module: nn.Module, label: int, count: int
) -> tuple[Data, float]:
    rng = torch.Generator(context.device).manual_seed(context.seeds.stream("codes"))
    codes = generator.latent.draw(count, rng)
    seen = torch.cat([module(part).argmax(1).cpu() for part in torch.split(codes, _BATCH)])
    y = seen if label < 0 else torch.full_like(seen, label)
    data = Data(x=codes.cpu(), y=y, ids=torch.arange(count), classes=generator.signature.classes)
    return data, float((seen == y).double().mean())
