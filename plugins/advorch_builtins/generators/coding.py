"""From data to codes and back."""

import torch
from torch import Tensor

from advorch.api import ArtifactType, ErrorClass, Outcome, StageContext, StageFailed
from advorch.kit.adversary.opening import OpenGenerator, open_generator
from advorch.kit.data import Data
from advorch.kit.inputs import open_data
from advorch_builtins.generators.catalog_uses import DecodeParams, EncodeParams
from advorch_builtins.generators.handing import as_data, hand_on

_BATCH = 512


@torch.no_grad()
def encode(context: StageContext, params: EncodeParams) -> Outcome:
    """A code for each sample, under its own id and label; and how far samples are from what becomes of their codes."""
    generator = open_generator(context, context.inputs["generator"][0])
    data = open_data(context, context.inputs["data"][0])
    _check(data, generator)
    parts, error = [], 0.0
    for x, y in zip(torch.split(data.x, _BATCH), torch.split(data.y, _BATCH), strict=True):
        codes = generator.encode(x.to(context.device))
        again = generator.latent.decode(codes, y.to(context.device)).cpu()
        error += float((again.double() - x.double()).square().flatten(1).mean(1).sum())
        parts.append(codes.cpu())
    coded = Data(x=torch.cat(parts), y=data.y, ids=data.ids, classes=data.classes)
    output = hand_on(context.scratch / "codes", coded, ArtifactType.DATASET)
    return Outcome(outputs={"codes": output}, metrics={"reconstruction_error": error / len(data)})


def _check(data: Data, generator: OpenGenerator) -> None:
    if data.signature.shape != generator.signature.shape:
        message = f"the data is of shape {data.signature.shape}, '{generator.label}' is for {generator.signature.shape}"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="encode data like that it was trained on")


@torch.no_grad()
def decode(context: StageContext, params: DecodeParams) -> Outcome:
    """A sample for each code, labelled as its code is."""
    generator = open_generator(context, context.inputs["generator"][0])
    codes = open_data(context, context.inputs["codes"][0])
    if codes.signature.shape != (generator.latent.size,):
        message = f"codes of '{generator.label}' are of shape {(generator.latent.size,)}, not {codes.signature.shape}"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="they come from `generate/encode` or `compose`")
    label = generator.asked(params.class_)
    x = torch.cat([_decoded(generator, part.to(context.device), label) for part in torch.split(codes.x, _BATCH)])
    samples = as_data(x, codes.y, generator.record)
    return Outcome(outputs={"samples": hand_on(context.scratch / "samples", samples)})


def _decoded(generator: OpenGenerator, codes: Tensor, label: int) -> Tensor:
    asked = torch.full((len(codes),), label, device=codes.device)
    return generator.latent.decode(codes, asked).cpu()
