"""Figure 4 of Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples" (ICLR 2015).

The argument of the softmax for each class at x + epsilon sign(grad J(x, y)), for epsilon from far below zero to far
above, the box left aside: nearly straight pieces, on which wrong classes win far and wide.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Victim
from advorch.kit.data import Data
from advorch.kit.evaluation.figures import is_image
from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations.catalog_explaining import LogitsLineParams
from advorch_builtins.evaluations.logits_line_figure import draw

_CROWDING = 2.5
_COLUMNS = (
    "model",
    "samples",
    "wrong above zero",
    "wrong below zero",
    "median first wrong",
    "straight",
    "classes seen",
)
_CAPTION = (
    "Shares of the line on which the model is wrong, to either side of the sample; the median epsilon at which it is "
    "first wrong, of samples that were right; how much of the logits' variance two straight pieces explain that meet "
    "at the sample; and how many classes win somewhere. Means over samples."
)


class LogitsLine:
    """Batches are of clean samples, each with a line of its own for every model."""

    def map(self, subject: Subject, batch: Data, params: LogitsLineParams) -> Mapping[str, Tensor]:
        """By model: the logits of each sample at every point of its line."""
        return {f"logits/{place}": _line(model, batch, params) for place, model in enumerate(subject.models)}

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: LogitsLineParams) -> Findings:
        """Where the model is wrong, how straight the logits are, and a figure of the first samples."""
        steps, labels = _steps(params), [model.label for model in subject.models]
        lines = [rows[f"logits/{place}"].double() for place in range(len(labels))]
        metrics = [_metrics(line, subject.data.y, steps) for line in lines]
        return Findings(
            metrics=metrics_by_label(labels, metrics),
            tables={
                "Along the line": _summary(labels, lines, subject.data.y, steps),
                "Logits of the first sample": _first(labels, lines, steps, subject.data.classes),
            },
            figures={
                f"Logits along one direction, {_name(subject.data, row)}: {model.label}": partial(
                    draw, lines[place][row], steps, subject.data, row, _strip(subject, model, row, params)
                )
                for place, model in enumerate(subject.models)
                for row in range(min(params.shown, len(subject.data)))
            },
            notes=["The line leaves the box: images are drawn as far as the box shows them, the model sees all of it."],
        )


def _steps(params: LogitsLineParams) -> Tensor:
    """An odd number of points, so that the sample itself is one."""
    half = params.points // 2
    return torch.arange(-half, half + 1, dtype=torch.float64) / half * params.epsilon


def _direction(model: SubjectModel, batch: Data) -> Tensor:
    victim = Victim(model.module, box=None, norm=Norm.LINF, epsilon=0.0, access=model.access)
    with untouched(model.module):
        return victim.gradient(batch.x, batch.y).sign()


def _line(model: SubjectModel, batch: Data, params: LogitsLineParams) -> Tensor:
    direction = _direction(model, batch)
    with torch.no_grad():
        return torch.stack([model.module(batch.x + step * direction).float() for step in _steps(params).tolist()], 1)


def _name(data: Data, row: int) -> str:
    return f"sample {int(data.ids[row])}"


def _strip(subject: Subject, model: SubjectModel, row: int, params: LogitsLineParams) -> dict[float, Tensor]:
    """Some of the points as images, by epsilon: close together at the sample, where an image still shows something."""
    if not is_image(subject.data.x.shape[1:]):
        return {}
    batch = subject.data.take(slice(row, row + 1)).to(subject.device)
    direction, steps = _direction(model, batch), _steps(params)
    share = torch.linspace(-1, 1, params.strip, dtype=torch.float64)
    wanted = share.sign() * share.abs().pow(_CROWDING) * params.epsilon
    places = sorted(set((wanted[:, None] - steps).abs().argmin(1).tolist()))
    return {epsilon: (batch.x + epsilon * direction)[0].cpu() for epsilon in steps[places].tolist()}


def _metrics(line: Tensor, y: Tensor, steps: Tensor) -> dict[str, float]:
    wrong = line.argmax(2) != y[:, None]
    found = {"wrong_share": float(wrong.double().mean()), "straightness": float(straightness(line, steps).mean())}
    first = first_wrong(wrong, steps)
    return found | ({"first_wrong": float(first.median())} if len(first) else {})


def first_wrong(wrong: Tensor, steps: Tensor) -> Tensor:
    """The smallest epsilon at which each sample is wrong, of those that are right at zero and wrong somewhere above."""
    middle = len(steps) // 2
    ahead = wrong[:, middle:]
    ever = ~ahead[:, 0] & ahead.any(1)
    return steps[middle:][ahead[ever].double().argmax(1)]


def straightness(line: Tensor, steps: Tensor) -> Tensor:
    """For each sample the share of its logits' variance that two straight pieces explain, a mean over classes."""
    basis = torch.stack([torch.ones_like(steps), steps.clamp(min=0), steps.clamp(max=0)], 1)
    solved = torch.linalg.lstsq(basis, line.transpose(0, 1).flatten(1)).solution
    rest = (line - (basis @ solved).view(len(steps), len(line), -1).transpose(0, 1)).square().sum(1)
    spread = (line - line.mean(1, keepdim=True)).square().sum(1)
    explained: Tensor = (1 - rest / spread.clamp(min=1e-30)).clamp(min=0).mean(1)
    return explained


def _summary(labels: Sequence[str], lines: Sequence[Tensor], y: Tensor, steps: Tensor) -> Table:
    rows = tuple(_row(label, line, y, steps) for label, line in zip(labels, lines, strict=True))
    shares = frozenset({"wrong above zero", "wrong below zero", "straight"})
    return Table(_COLUMNS, rows, _CAPTION, Look(shares=shares))


def _row(label: str, line: Tensor, y: Tensor, steps: Tensor) -> tuple[Value, ...]:
    seen = line.argmax(2)
    wrong = (seen != y[:, None]).double()
    first = first_wrong(wrong.bool(), steps)
    kinds = sum(len(row.unique()) for row in seen) / len(seen)
    return (
        label, len(y), float(wrong[:, steps > 0].mean()), float(wrong[:, steps < 0].mean()),
        float(first.median()) if len(first) else None, float(straightness(line, steps).mean()), kinds,
    )  # fmt: skip


def _first(labels: Sequence[str], lines: Sequence[Tensor], steps: Tensor, classes: Sequence[str]) -> Table:
    rows = tuple(
        (label, float(step), classes[int(logits.argmax())], *logits.tolist())
        for label, line in zip(labels, lines, strict=True)
        for step, logits in zip(steps, line[0], strict=True)
    )
    return Table(("model", "epsilon", "predicted", *classes), rows, look=Look(folded=True))
