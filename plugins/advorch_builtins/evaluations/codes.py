"""Autoencoders by the codes of data that they have not seen (Makhzani et al. 2015, arXiv:1511.05644)."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from advorch.api import Seeds
from advorch.kit.adversary.opening import OpenGenerator
from advorch.kit.data import Data
from advorch.kit.evaluation.code_figures import code_plot
from advorch.kit.evaluation.codes import energy, nearest_class, probe, same_law
from advorch.kit.evaluation.findings import Findings, Look, Table, metrics_by_label
from advorch.kit.evaluation.statistics import Proportion, proportion
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.catalog_codes import CodesParams

_COLUMNS = (
    "generator", "size", "same law (p)", "energy", "linear probe", "nearest class", "reconstruction error", "error",
    "low", "high",
)  # fmt: skip
_CAPTION = (
    "The p-value is that of a permutation test between codes and draws from the prior: small where they differ. Probe "
    "and nearest class mean read the class off codes; the error is that of the encoder's own classes, where it has any."
)


class Codes:
    """Batches are of samples that the autoencoders were not trained on."""

    def map(self, subject: Subject, batch: Data, params: CodesParams) -> Mapping[str, Tensor]:
        """By generator: code, squared error of what becomes of it, and whether the encoder's class is wrong."""
        rows: dict[str, Tensor] = {}
        for place, generator in enumerate(subject.generators):
            code = generator.encode(batch.x)
            rows[f"code/{place}"] = code
            rows[f"error/{place}"] = _misfit(generator, batch, code)
            if generator.latent.classify:
                with torch.no_grad():
                    rows[f"wrong/{place}"] = generator.latent.classify(batch.x).argmax(1) != batch.y
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: CodesParams) -> Findings:
        """Side by side."""
        lines, metrics, figures = [], [], {}
        for place, generator in enumerate(subject.generators):
            code, y = rows[f"code/{place}"], subject.data.y
            prior = _prior(generator, subject, params.prior)
            found = _read(code, y, prior) | {"reconstruction_error": float(rows[f"error/{place}"].double().mean())}
            wrong = rows.get(f"wrong/{place}")
            share = Proportion(0, 0) if wrong is None else proportion(wrong)
            lines.append((generator.label, code.shape[1], *found.values(), *share.bounded))
            metrics.append(found | ({} if wrong is None else {"error": share.value}))
            title = f"Codes by class: {generator.label}"
            figures[title] = partial(code_plot, code, y, prior, subject.data.classes)
        shares = frozenset({"linear probe", "nearest class", "error", "low", "high"})
        look = Look(shares=shares, intervals=(("error", "low", "high"),))
        return Findings(
            metrics=metrics_by_label([generator.label for generator in subject.generators], metrics),
            tables={"Codes": Table(_COLUMNS, tuple(lines), _CAPTION, look)},
            figures=figures,
        )


@torch.no_grad()
def _misfit(generator: OpenGenerator, batch: Data, code: Tensor) -> Tensor:
    again = generator.latent.decode(code, batch.y)
    return (again - batch.x).square().flatten(1).mean(1)


def _prior(generator: OpenGenerator, subject: Subject, count: int) -> Tensor:
    rng = torch.Generator(subject.device).manual_seed(Seeds(subject.seed).stream("prior"))
    return generator.latent.draw(count, rng).cpu()


def _read(code: Tensor, y: Tensor, prior: Tensor) -> dict[str, float]:
    size = min(len(code), len(prior))
    return {
        "same_law": same_law(code[:size], prior[:size]),
        "energy": energy(code[:size], prior[:size]),
        "probe": probe(code, y),
        "nearest_class": nearest_class(code, y),
    }
