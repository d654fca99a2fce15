"""Lipschitz constants of networks, from above and from below, in l2 from inputs to logits."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from advorch.api import Seeds
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.lipschitz import Unbounded, by_layer, slopes
from advorch.kit.evaluation.slope_figures import slope_histograms
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations.catalog_generated import LipschitzParams

_CAPTION = (
    "The bound is the product of the layers' operator norms, a convolution's being that of the convolution itself; the "
    "slope is the largest norm of the Jacobian at a sample; the rise is the largest between two samples, per distance."
)


class Lipschitz:
    """Batches are of samples; slopes are those of the logits."""

    def map(self, subject: Subject, batch: Data, params: LipschitzParams) -> Mapping[str, Tensor]:
        """The norm of the Jacobian at each sample, and the logits, from which rises are taken."""
        rows: dict[str, Tensor] = {}
        for place, model in enumerate(subject.models):
            with torch.no_grad():
                rows[f"logits/{place}"] = model.module(batch.x)
            rows[f"slope/{place}"] = slopes(model.module, batch.x).detach()
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: LipschitzParams) -> Findings:
        """Above, and below."""
        lines, metrics, layers, notes = [], [], list[tuple[Value, ...]](), []
        steep = {model.label: rows[f"slope/{place}"] for place, model in enumerate(subject.models)}
        bounds: dict[str, float] = {}
        for place, model in enumerate(subject.models):
            found = _layers(model, subject.data.signature.shape)
            above = float(torch.tensor([norm for _, norm in found], dtype=torch.float64).prod()) if found else None
            slope = float(rows[f"slope/{place}"].max())
            rise = _rise(subject, rows[f"logits/{place}"], params.pairs)
            lines.append((model.label, above, slope, rise))
            bounds |= {} if above is None else {model.label: above}
            metrics.append({"slope": slope, "rise": rise} | ({} if above is None else {"bound": above}))
            layers += [(model.label, name, norm) for name, norm in found]
            notes += [] if found else [f"{model.label} is no chain of layers that are known, and has no bound here."]
        return Findings(
            metrics=metrics_by_label([model.label for model in subject.models], metrics),
            tables={
                "Slopes": Table(("model", "bound", "slope", "rise"), tuple(lines), _CAPTION),
                "Layers": Table(("model", "layer", "operator norm"), tuple(layers), look=Look(folded=True)),
            },
            figures={"Slopes at samples": partial(slope_histograms, steep, bounds)},
            notes=notes,
        )


def _layers(model: SubjectModel, shape: tuple[int, ...]) -> list[tuple[str, float]]:
    try:
        return by_layer(model.module, shape)
    except Unbounded:
        return []


def _rise(subject: Subject, logits: Tensor, pairs: int) -> float:
    """The largest over drawn pairs of samples that differ."""
    rng = torch.Generator().manual_seed(Seeds(subject.seed).stream("pairs"))
    one, other = torch.randint(len(logits), (2, pairs), generator=rng)
    x = subject.walked.x.double().flatten(1).cpu()
    apart = (x[one] - x[other]).norm(dim=1)
    rise = (logits[one] - logits[other]).double().norm(dim=1)
    return float((rise[apart > 0] / apart[apart > 0]).max()) if bool((apart > 0).any()) else 0.0
