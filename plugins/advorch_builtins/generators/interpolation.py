"""Samples on the way from one code to another."""

import torch
from torch import Tensor

from advorch.api import ArtifactType, Outcome, Output, StageContext
from advorch.kit.adversary.opening import OpenGenerator, open_generator
from advorch.kit.adversary.paths import along
from advorch.kit.evaluation.figures import is_image
from advorch.kit.evaluation.findings import Figure, Findings, Table
from advorch.kit.evaluation.moving import moving, strip
from advorch.kit.evaluation.panels import shown_box
from advorch.kit.evaluation.writing import Page, write_report
from advorch.kit.inputs import open_data, open_model
from advorch_builtins.generators.catalog_uses import InterpolateParams
from advorch_builtins.generators.handing import as_data, hand_on

_SHOWN = 8


def interpolate(context: StageContext, params: InterpolateParams) -> Outcome:
    """Between drawn codes, or between those of the first samples of the data that is connected."""
    generator = open_generator(context, context.inputs["generator"][0])
    label = generator.asked(params.class_)
    first, second = _ends(context, generator, params.pairs)
    codes = along(first, second, params.steps, params.path)
    y = torch.full((params.pairs * params.steps,), label)
    with torch.no_grad():
        x = generator.latent.decode(codes.flatten(0, 1), y.to(context.device)).cpu()
    ways = x.view(params.pairs, params.steps, *x.shape[1:])
    metrics = _metrics(ways) | _sureness(context, ways)
    report = context.scratch / "report"
    write_report(report, _page(generator), _findings(ways, metrics, generator, params))
    outputs = {
        "samples": hand_on(context.scratch / "samples", as_data(x, y, generator.record)),
        "report": Output(type=ArtifactType.REPORT, folder=report),
    }
    return Outcome(outputs=outputs, metrics=metrics)


def _ends(context: StageContext, generator: OpenGenerator, pairs: int) -> tuple[Tensor, Tensor]:
    sources = context.inputs.get("data", ())
    if sources:
        x = open_data(context, sources[0]).x[: 2 * pairs].to(context.device)
        codes = generator.encode(x)
        codes = codes.repeat(-(-2 * pairs // len(codes)), 1)
    else:
        rng = torch.Generator(context.device).manual_seed(context.seeds.stream("codes"))
        codes = generator.latent.draw(2 * pairs, rng)
    return codes[:pairs], codes[pairs : 2 * pairs]


def _metrics(ways: Tensor) -> dict[str, float]:
    """How even the steps are: the largest beside the usual one; and how long the way is, in the samples' units."""
    steps = (ways[:, 1:] - ways[:, :-1]).double().flatten(2).norm(dim=2)
    usual = float(steps.median())
    length = {"path_length": float(steps.sum(1).mean())}
    return length | ({"largest_step": float(steps.max()) / usual} if usual else {})


@torch.no_grad()
def _sureness(context: StageContext, ways: Tensor) -> dict[str, float]:
    """The share of samples between the ends of which a connected model is half as sure as of the ends."""
    sources = context.inputs.get("model", ())
    if not sources or ways.shape[1] < 3:
        return {}
    model = open_model(context, sources[0])
    sure = model.module(ways.flatten(0, 1).to(context.device)).softmax(1).amax(1).cpu().view(ways.shape[:2])
    ends = torch.minimum(sure[:, 0], sure[:, -1])[:, None]
    return {"sure_midpoints": float((sure[:, 1:-1] >= ends / 2).double().mean())}


def _page(generator: OpenGenerator) -> Page:
    text = f"Ways between codes of generator '{generator.label}', and the samples that they stand for."
    return Page(component="generate/interpolate", introduction=[text], models={generator.label: generator.digest})


def _findings(ways: Tensor, metrics: dict[str, float], generator: OpenGenerator, params: InterpolateParams) -> Findings:
    figures: dict[str, Figure] = {}
    if is_image(generator.signature.shape):
        box = shown_box(generator.signature.box, ways)
        figures = {
            "Interpolation": strip(ways[:_SHOWN], box, params.path),
            "Interpolation in motion": moving(ways[:_SHOWN], box),
        }
    table = Table(("path", "ways", "steps", *metrics), ((params.path, len(ways), params.steps, *metrics.values()),))
    return Findings(metrics=metrics, tables={"Interpolation": table}, figures=figures)
