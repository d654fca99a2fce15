"""The loss over the weights: Li, Xu, Taylor, Studer and Goldstein, "Visualizing the loss landscape of neural nets",
NeurIPS 2018 (arXiv:1712.09913).

Two random directions, in which every filter is as long as the model's own: networks whose weights differ in scale alone
look alike. Biases and normalisations stay. Models of one architecture are moved along the same draws.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from advorch.api import ErrorClass, Seeds, StageFailed
from advorch.kit.attack.rows import per_sample
from advorch.kit.data import Data
from advorch.kit.evaluation.curves import Axis, Curve, curves
from advorch.kit.evaluation.findings import Findings, Look, Table, metrics_by_label
from advorch.kit.evaluation.statistics import Proportion, proportion
from advorch.kit.evaluation.subject import Subject
from advorch.kit.evaluation.surface_figures import surfaces
from advorch_builtins.evaluations.catalog_smoothness import LossSurfaceParams
from advorch_builtins.evaluations.crossing import names_of

_MATRIX = 2  # filters have axes besides that of their units; biases and scales of normalisations have none
_CAPTION = (
    "Error with its 95% interval; loss of the model itself, the mean rise of the loss at the reach along the four "
    "half-axes, and the same half way."
)

Directions = tuple[Mapping[str, Tensor], Mapping[str, Tensor]]


class LossSurface:
    """Batches are of samples whose loss is taken at every point of the grid."""

    def map(self, subject: Subject, batch: Data, params: LossSurfaceParams) -> Mapping[str, Tensor]:
        """Losses of every sample, rows up and columns across, and whether the model itself is right."""
        _check(params)
        rows: dict[str, Tensor] = {}
        for place, model in enumerate(subject.models):
            directions = filter_directions(model.module, subject.seed)
            rows[f"losses/{place}"] = losses(model.module, batch, directions, offsets_of(params)).cpu()
            rows[f"right/{place}"] = model.predict(batch.x) == batch.y
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: LossSurfaceParams) -> Findings:
        """The mean surface of each model, and its profile."""
        names = names_of(subject, params.names)
        grids = [rows[f"losses/{place}"].double().mean(0) for place in range(len(names))]
        errors = [proportion(~rows[f"right/{place}"]) for place in range(len(names))]
        found = [
            {"error": error.value, "loss": _middle(grid), "rise": rise(grid)}
            for error, grid in zip(errors, grids, strict=True)
        ]
        return Findings(
            metrics=metrics_by_label(names, found),
            tables={"Surfaces": _table(names, grids, errors)},
            figures={
                "Loss over the weights": partial(surfaces, dict(zip(names, grids, strict=True)), params.reach),
                "Loss along the axes": partial(_profiles, names, grids, params.reach),
            },
            notes=["The two directions are random, and each model's own filters say how long they are."],
        )


def offsets_of(params: LossSurfaceParams) -> Tensor:
    """Places along an axis."""
    return torch.linspace(-params.reach, params.reach, params.points, dtype=torch.float64)


def filter_directions(module: nn.Module, seed: int) -> Directions:
    """Normal draws by weight, each filter of them as long as the module's own."""
    first, second = ({}, {})  # type: dict[str, Tensor], dict[str, Tensor]
    for place, (name, weight) in enumerate(module.named_parameters()):
        if weight.dim() >= _MATRIX:
            for axis, kept in enumerate((first, second)):
                rng = torch.Generator().manual_seed(Seeds(seed).stream(f"surface/{axis}/{place}"))
                drawn = torch.randn(weight.shape, generator=rng, dtype=torch.float64).to(weight)
                kept[name] = drawn * (_lengths(weight.detach()) / _lengths(drawn))
    return first, second


def _lengths(weight: Tensor) -> Tensor:
    """The l2 norm of each filter, shaped to be multiplied with it."""
    lengths: Tensor = torch.linalg.vector_norm(weight.flatten(1), dim=1).clamp_min(1e-12)
    return per_sample(lengths, weight)


@torch.no_grad()
def losses(module: nn.Module, batch: Data, directions: Directions, offsets: Tensor) -> Tensor:
    """Cross-entropy of each sample where the weights are w + a d1 + b d2: samples by b by a."""
    own = dict(module.named_parameters())
    first, second = directions
    grid = []
    for up in offsets.tolist():
        for across in offsets.tolist():
            moved = {name: own[name] + across * first[name] + up * second[name] for name in first}
            logits = functional_call(module, moved, (batch.x,))
            grid.append(functional.cross_entropy(logits, batch.y, reduction="none"))
    return torch.stack(grid, 1).view(len(batch), len(offsets), len(offsets))


def rise(grid: Tensor, share: float = 1.0) -> float:
    """The mean loss at a share of the reach along the four half-axes, less that in the middle."""
    middle = len(grid) // 2
    away = round(share * middle)
    ends = [grid[middle, middle + away], grid[middle, middle - away], grid[middle + away, middle]]
    return float(torch.stack([*ends, grid[middle - away, middle]]).mean()) - _middle(grid)


def _middle(grid: Tensor) -> float:
    return float(grid[len(grid) // 2, len(grid) // 2])


def _profiles(names: Sequence[str], grids: Sequence[Tensor], reach: float) -> bytes:
    """By distance, the mean over four half-axes and the range of them."""
    panel = {}
    for name, grid in zip(names, grids, strict=True):
        middle = len(grid) // 2
        rays = torch.stack(
            [
                grid[middle, middle:],
                grid[middle, : middle + 1].flip(0),
                grid[middle:, middle],
                grid[: middle + 1, middle].flip(0),
            ]
        )
        away = torch.linspace(0, reach, middle + 1).tolist()
        panel[name] = Curve(x=away, y=rays.mean(0).tolist(), low=rays.amin(0).tolist(), high=rays.amax(0).tolist())
    return curves({"loss": panel}, Axis(label="distance, in lengths of the filters"), Axis(label="loss"))


def _table(names: Sequence[str], grids: Sequence[Tensor], errors: Sequence[Proportion]) -> Table:
    columns = ("model", "error", "low", "high", "loss", "rise", "rise half way")
    rows = tuple(
        (name, *error.bounded, _middle(grid), rise(grid), rise(grid, 0.5))
        for name, grid, error in zip(names, grids, errors, strict=True)
    )
    look = Look(shares=frozenset({"error", "low", "high"}), intervals=(("error", "low", "high"),))
    return Table(columns, rows, _CAPTION, look)


def _check(params: LossSurfaceParams) -> None:
    if params.points % 2 == 0:
        message = f"`points` is {params.points}: an even grid has no point in the middle"
        raise StageFailed(message, error_class=ErrorClass.USER, hint=f"take {params.points + 1}")
