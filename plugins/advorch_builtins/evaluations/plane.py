"""p(y | x) on the plane of the data: Miyato et al., ICLR 2016 (arXiv:1507.00677), figure 4, where 16 points lie in 100
dimensions and a model is to find the shape that they were drawn from.

The plane goes through the middle of the data, along the two directions in which they vary most: of data that were laid
into more dimensions without noise it is the plane that they were laid on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.data import Data
from advorch.kit.evaluation.contour_figures import Contours, contour_panels
from advorch.kit.evaluation.findings import Findings, Look, Table, metrics_by_label
from advorch.kit.evaluation.statistics import Proportion, proportion
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.catalog_smoothness import PlaneParams
from advorch_builtins.evaluations.crossing import names_of

_ROWS = 4096
_SHOWN = 400  # of the data, as pale dots
_FEWEST = 3  # points that two directions need


@dataclass(frozen=True, slots=True)
class Frame:
    """A point and two directions of length one, orthogonal to each other."""

    origin: Tensor
    axes: Tensor
    inside: float

    def flat(self, x: Tensor) -> Tensor:
        """Coordinates on the plane."""
        return (x.flatten(1).to(self.axes) - self.origin) @ self.axes.T

    def lifted(self, points: Tensor, like: Tensor) -> Tensor:
        """Points of the plane as samples."""
        return (self.origin + points @ self.axes).to(like).reshape(-1, *like.shape[1:])


class Plane:
    """Every sample is judged; the plane is that of all of them."""

    def map(self, subject: Subject, batch: Data, params: PlaneParams) -> Mapping[str, Tensor]:
        """Whether each model is right on each sample."""
        _check(subject, params)
        return {f"right/{place}": model.predict(batch.x) == batch.y for place, model in enumerate(subject.models)}

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: PlaneParams) -> Findings:
        """Errors, and the picture."""
        names, frame = names_of(subject, params.names), frame_of(subject.data)
        errors = [proportion(~rows[f"right/{place}"]) for place in range(len(names))]
        found = [{"error": error.value, "inside": frame.inside} for error in errors]
        return Findings(
            metrics=metrics_by_label(names, found),
            tables={"Errors": _table(names, errors)},
            figures={"Probability on the plane": partial(_picture, subject, frame, names, errors, params)},
            notes=[f"The plane has {100 * frame.inside:.4g} % of the variance of the data."],
        )


def frame_of(data: Data) -> Frame:
    """The two main directions of the data, each turned so that its largest number is positive."""
    flat = data.x.flatten(1).double().cpu()
    origin = flat.mean(0)
    _, sizes, directions = torch.linalg.svd(flat - origin, full_matrices=False)
    axes = directions[:2]
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    return Frame(origin, axes * largest.sign(), float(sizes[:2].square().sum() / sizes.square().sum()))


def grid_of(points: Tensor, count: int, margin: float) -> tuple[Tensor, Tensor]:
    """Places along both axes, a share of the width beyond the points."""
    low, high = points.amin(0), points.amax(0)
    room = margin * (high - low)
    across, up = (
        torch.linspace(float(a), float(b), count).double() for a, b in zip(low - room, high + room, strict=True)
    )
    return across, up


@torch.no_grad()
def probabilities(
    module: torch.nn.Module, frame: Frame, across: Tensor, up: Tensor, like: Tensor, label: int
) -> Tensor:
    """Of one class at every point of the grid; rows go up."""
    points = torch.cartesian_prod(up, across).flip(1)
    parts = [
        module(frame.lifted(part, like)).softmax(1)[:, label].double().cpu() for part in torch.split(points, _ROWS)
    ]
    return torch.cat(parts).view(len(up), len(across))


def _picture(
    subject: Subject, frame: Frame, names: Sequence[str], errors: Sequence[Proportion], params: PlaneParams
) -> bytes:
    data, train = subject.data, subject.datasets.get("train")
    across, up = grid_of(frame.flat(data.x.cpu()), params.points, params.margin)
    like = data.x.to(subject.device)[:1]
    panels = {
        f"{name}, error {100 * error.value:.1f}%": probabilities(model.module, frame, across, up, like, params.label)
        for name, model, error in zip(names, subject.models, errors, strict=True)
    }
    return contour_panels(
        Contours(
            panels=panels,
            across=across,
            up=up,
            pale=(frame.flat(data.x[:_SHOWN].cpu()), data.y[:_SHOWN]),
            strong=None if train is None else (frame.flat(train.x.cpu()), train.y),
            classes=data.classes,
            label=params.label,
        )
    )


def _table(names: Sequence[str], errors: Sequence[Proportion]) -> Table:
    rows = tuple((name, *error.bounded) for name, error in zip(names, errors, strict=True))
    look = Look(shares=frozenset({"error", "low", "high"}), intervals=(("error", "low", "high"),))
    return Table(("model", "error", "low", "high"), rows, "On the data of this evaluation.", look)


def _check(subject: Subject, params: PlaneParams) -> None:
    if params.label >= len(subject.data.classes):
        message = f"`label` is {params.label}, and there are {len(subject.data.classes)} classes"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="classes are counted from 0")
    if len(subject.data) < _FEWEST:
        message = f"{len(subject.data)} samples span no plane"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="give the port `data` three samples or more")
