"""Recipes over many draws: Miyato et al., ICLR 2016 (arXiv:1507.00677), figures 2 and 3, give means over 50 draws.

Draws differ more than recipes do, so that recipes are compared within each draw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.data import Data
from advorch.kit.evaluation.curves import Axis, Curve, curves
from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.statistics import bounded_mean, mean_interval
from advorch.kit.evaluation.strips import strips
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.kit.training.divergence import kl
from advorch.kit.training.smoothness import Search, virtual_perturbation
from advorch_builtins.evaluations.catalog_smoothness import RecipesParams

_SHARES = frozenset({"error", "low", "high", "median", "smallest", "largest"})
_AGAINST = frozenset({"difference", "low", "high"})
_CAPTION = "Error over the draws; low and high bound its mean (95%, by the t distribution)."
_PAIRED = "Error less that of the recipe with the smallest mean error, draw by draw; low and high bound the mean (95%)."


@dataclass(frozen=True, slots=True)
class Family:
    """The models of one recipe, in the order of the draws."""

    name: str
    models: tuple[SubjectModel, ...]
    errors: Tensor
    lds: Tensor | None

    def curve(self, metric: str) -> Curve | None:
        """The mean over the draws by epoch, with its interval."""
        histories = [model.history for model in self.models if model.history]
        epochs = min((len(history) for history in histories), default=0)
        if not epochs or any(metric not in row for history in histories for row in history[:epochs]):
            return None
        values = torch.tensor([[row[metric] for row in history[:epochs]] for history in histories], dtype=torch.float64)
        means = [mean_interval(column) for column in values.T.tolist()]
        bounds = [interval for _, interval in means if interval]
        return Curve(
            x=[epoch + 1.0 for epoch in range(epochs)],
            y=[mean for mean, _ in means],
            low=[bound.low for bound in bounds],
            high=[bound.high for bound in bounds],
        )


class Recipes:
    """Batches are of samples that every model is judged on."""

    def map(self, subject: Subject, batch: Data, params: RecipesParams) -> Mapping[str, Tensor]:
        """Whether each model errs on each sample, and how far its prediction moves there."""
        rows = {f"wrong/{place}": model.predict(batch.x) != batch.y for place, model in enumerate(subject.models)}
        if params.epsilon is None:
            return rows
        search = Search(epsilon=params.epsilon, iterations=params.power_iterations)
        draws = Draws(subject.seed, batch.ids)
        moved = {
            f"lds/{place}": local_smoothness(model.module, batch.x, draws, search)
            for place, model in enumerate(subject.models)
        }
        return rows | moved

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: RecipesParams) -> Findings:
        """Means over draws with intervals, differences within draws, and the curves of training."""
        families = families_of(subject, rows, params)
        drawn = {metric: panel for metric in params.curves if (panel := _panel(families, metric))}
        several = any(len(family.models) > 1 for family in families)
        figures = {"Error of every draw": partial(_strips, families)} if several else {}
        return Findings(
            metrics=_metrics(families),
            tables={"Recipes": _table(families)} | ({"Within draws": _paired(families)} if several else {}),
            figures=figures
            | {f"{spelled(metric)} by epoch": partial(_curve, panel, metric) for metric, panel in drawn.items()},
            notes=["Lines are means over the draws, and bands bound them (95%)."] if drawn and several else [],
        )


def local_smoothness(module: torch.nn.Module, x: Tensor, draws: Draws, search: Search) -> Tensor:
    """-KL(p(x) || p(x + r)) of each sample, at the worst r that is found."""
    moved = x + virtual_perturbation(module, x, draws.fork("lds"), search)
    with torch.no_grad():
        return -kl(module(x), module(moved)).double()


def families_of(subject: Subject, rows: Mapping[str, Tensor], params: RecipesParams) -> list[Family]:
    """Equal parts of the port under the names, or models of one label together."""
    count = len(subject.models)
    if params.names and count % len(params.names):
        message = f"{count} models are no equal parts for {len(params.names)} names"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="give the port as many models of each recipe")
    size = count // len(params.names) if params.names else 0
    places: dict[str, list[int]] = {}
    for place, model in enumerate(subject.models):
        places.setdefault(params.names[place // size] if size else model.name, []).append(place)
    return [_family(subject, rows, name, own) for name, own in places.items()]


def _family(subject: Subject, rows: Mapping[str, Tensor], name: str, places: Sequence[int]) -> Family:
    errors = torch.stack([rows[f"wrong/{place}"].double().mean() for place in places])
    known = f"lds/{places[0]}" in rows
    lds = torch.stack([rows[f"lds/{place}"].mean() for place in places]) if known else None
    return Family(name, tuple(subject.models[place] for place in places), errors, lds)


def _metrics(families: Sequence[Family]) -> dict[str, float]:
    found = [
        {"error": float(family.errors.mean())} | ({} if family.lds is None else {"lds": float(family.lds.mean())})
        for family in families
    ]
    return metrics_by_label([family.name for family in families], found)


def _table(families: Sequence[Family]) -> Table:
    columns = ("recipe", "draws", "error", "low", "high", "median", "smallest", "largest", "lds")
    rows = tuple(
        (
            family.name,
            len(family.errors),
            *bounded_mean(family.errors.tolist()),
            float(family.errors.median()),
            float(family.errors.min()),
            float(family.errors.max()),
            None if family.lds is None else float(family.lds.mean()),
        )
        for family in families
    )
    look = Look(shares=_SHARES, intervals=(("error", "low", "high"),), usual=(("lds", None),))
    return Table(columns, rows, _CAPTION, look)


def _paired(families: Sequence[Family]) -> Table:
    """Each recipe against the best of all, where both have the draw."""
    best = min(families, key=lambda family: float(family.errors.mean()))
    columns = ("recipe", "against", "draws", "difference", "low", "high", "better in", "worse in")
    rows = tuple(_row(family, best) for family in families if family is not best)
    return Table(columns, rows, _PAIRED, Look(shares=_AGAINST, intervals=(("difference", "low", "high"),)))


def _row(family: Family, best: Family) -> tuple[Value, ...]:
    shared = min(len(family.errors), len(best.errors))
    gap = family.errors[:shared] - best.errors[:shared]
    return (family.name, best.name, shared, *bounded_mean(gap.tolist()), int((gap < 0).sum()), int((gap > 0).sum()))


def _panel(families: Sequence[Family], metric: str) -> dict[str, Curve]:
    return {family.name: curve for family in families if (curve := family.curve(metric))}


def _curve(panel: Mapping[str, Curve], metric: str) -> bytes:
    shared = metric.endswith("accuracy")
    height = Axis(label=spelled(metric), share=shared)
    return curves({metric: panel}, Axis(label="epoch", count=True), height, height=4.2)


def spelled(metric: str) -> str:
    """A recorded number's name in a title; LDS is an abbreviation."""
    return metric.upper() if metric == "lds" else metric.replace("_", " ")


def _strips(families: Sequence[Family]) -> bytes:
    return strips({family.name: family.errors for family in families}, "error")
