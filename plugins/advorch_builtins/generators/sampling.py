"""New samples of a trained generator."""

import torch
from torch import Tensor

from advorch.api import ErrorClass, Outcome, StageContext, StageFailed
from advorch.kit.adversary.generator import draw, draw_of
from advorch.kit.adversary.opening import OpenGenerator, class_number, open_generator
from advorch.kit.data import Data
from advorch.kit.inputs import open_model
from advorch_builtins.generators.catalog_uses import SampleParams
from advorch_builtins.generators.handing import UNKNOWN, as_data, hand_on

_BATCH = 512


def sample(context: StageContext, params: SampleParams) -> Outcome:
    """Classes are those that were asked for, or those that a connected model sees, or unknown."""
    generator = open_generator(context, context.inputs["generator"][0])
    drawn = labelled(context, generator, _drawn(context, generator, params), params.least)
    metrics = {"samples": float(len(drawn)), "drawn": float(params.samples)}
    return Outcome(outputs={"samples": hand_on(context.scratch / "samples", drawn)}, metrics=metrics)


def _drawn(context: StageContext, generator: OpenGenerator, params: SampleParams) -> Data:
    seed = context.seeds.stream("samples")
    if generator.game.latent is None or not generator.game.latent.classes:
        if params.classes:
            generator.asked(params.classes[0])
        y = torch.full((params.samples,), UNKNOWN)
        x = draw(generator.game, params.samples, seed, device=context.device)
        return as_data(x, y, generator.record)
    y = _in_turn(params, generator.signature.classes)
    return as_data(draw_of(generator.game, y, seed, device=context.device), y, generator.record)


def _in_turn(params: SampleParams, names: tuple[str, ...]) -> Tensor:
    wanted = [class_number(item, names) for item in params.classes] or list(range(len(names)))
    return torch.tensor(wanted).repeat(params.samples // len(wanted) + 1)[: params.samples]


def labelled(context: StageContext, generator: OpenGenerator, data: Data, least: float) -> Data:
    """Those that the connected model is sure of: under the class asked for, or under the one that it sees."""
    sources = context.inputs.get("model", ())
    if not sources:
        if least:
            hint = "connect `in: {model: STAGE.model}`, or leave it out"
            raise StageFailed("`least` needs a model to ask", error_class=ErrorClass.USER, hint=hint)
        return data
    model = open_model(context, sources[0])
    with torch.no_grad():
        parts = [model.module(x.to(context.device)).softmax(1).cpu() for x in torch.split(data.x, _BATCH)]
    shares = torch.cat(parts)
    y = torch.where(data.y == UNKNOWN, shares.argmax(1), data.y)
    sure = shares.gather(1, y[:, None])[:, 0] >= least
    if not sure.any():
        message = f"the model gives no sample of '{generator.label}' a probability of {least:g}"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="lower `least`, or train the generator longer")
    return as_data(data.x[sure], y[sure], generator.record)
