"""What is said of linear models: theory beside measurement, and the weights themselves."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from advorch.kit.data import Data
from advorch.kit.evaluation.curves import Axis, Curve, curves
from advorch.kit.evaluation.findings import Look, Table, Value
from advorch.kit.evaluation.panels import Tile, stretched, tile_grid

if TYPE_CHECKING:
    from advorch_builtins.evaluations.linear import Weights

_COLUMNS = (
    "model", "epsilon", "loss of margin, theory", "loss of margin, measured", "largest gap", "in the box, theory",
    "in the box, measured", "clean accuracy", "robust accuracy, exact", "accuracy after FGSM",
)  # fmt: skip
_CAPTION = (
    "By how much the margin falls: the most that is possible in the linf ball, which is epsilon times the l1 norm of "
    "the difference of two classes' weights, and what one step of FGSM takes; means over samples, and the largest gap "
    "as a share of what theory says. In the box the numbers can go no further than its ends; accuracies are in the box."
)

_ROUNDING = 1e-6  # of a margin: a smaller fall is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One linear model; a column an epsilon."""

    label: str
    before: Tensor
    theory: Mapping[str, Tensor]
    measured: Mapping[str, Tensor]
    weight: Tensor
    l1: float
    l2: float
    sparse: float
    share: float

    @classmethod
    def of(cls, rows: Mapping[str, Tensor], label: str, place: int, weights: "Weights", sparse: float) -> "Case":
        """From the rows of all samples."""
        pairs = [weights.weight[a] - weights.weight[b] for a, b in combinations(range(len(weights.weight)), 2)]
        flat = torch.stack(pairs).flatten(1)
        return cls(
            label=label,
            before=rows[f"before/{place}"].double(),
            theory={name: rows[f"theory {name}/{place}"].double() for name in ("free", "boxed")},
            measured={name: rows[f"measured {name}/{place}"].double() for name in ("free", "boxed")},
            weight=weights.weight.cpu(),
            l1=float(flat.abs().sum(1).mean()),
            l2=float(flat.norm(dim=1).mean()),
            sparse=sparse,
            share=float((flat.abs() >= sparse * flat.abs().amax(1, keepdim=True)).double().mean()),
        )

    def loss(self, name: str, place: int, *, theory: bool) -> float:
        """The mean fall of the margin at one epsilon."""
        after = (self.theory if theory else self.measured)[name][:, place]
        return float((self.before - after).mean())

    def gap(self, place: int) -> float:
        """The largest difference of measurement and theory without the box, over what theory says; none in no ball."""
        possible = (self.before - self.theory["free"][:, place]).abs()
        apart = (self.measured["free"] - self.theory["free"])[:, place].abs()
        moved = possible > _ROUNDING * self.before.abs().clamp(min=1.0)
        return float((apart / possible)[moved].max()) if moved.any() else 0.0

    def accuracy(self, place: int | None, *, theory: bool) -> float:
        """The share of margins above zero: before, or at one epsilon in the box."""
        after = self.before if place is None else (self.theory if theory else self.measured)["boxed"][:, place]
        return float((after > 0).double().mean())

    def metrics(self) -> Iterator[tuple[str, float]]:
        """At the last epsilon."""
        last = self.theory["free"].shape[1] - 1
        yield "clean_accuracy", self.accuracy(None, theory=True)
        yield "robust_accuracy", self.accuracy(last, theory=False)
        yield "exact_robust_accuracy", self.accuracy(last, theory=True)
        yield "gain_error", self.gap(last)
        yield "weight_l1", self.l1


def table(cases: Sequence[Case], epsilons: Sequence[float], *, two: bool) -> Table:
    """A row a model and epsilon."""
    rows = tuple(_row(case, place, epsilon) for case in cases for place, epsilon in enumerate(epsilons))
    shares = frozenset({"clean accuracy", "robust accuracy, exact", "accuracy after FGSM"})
    more = "" if two else " With more than two classes FGSM need not find the worst point: the gap says by how much."
    return Table(_COLUMNS, rows, _CAPTION + more, Look(shares=shares))


def _row(case: Case, place: int, epsilon: float) -> tuple[Value, ...]:
    losses = [case.loss(name, place, theory=theory) for name in ("free", "boxed") for theory in (True, False)]
    return (
        case.label, epsilon, *losses[:2], f"{case.gap(place):.1e}", *losses[2:], case.accuracy(None, theory=True),
        case.accuracy(place, theory=True), case.accuracy(place, theory=False),
    )  # fmt: skip


def weights_table(cases: Sequence[Case], sparse: float) -> Table:
    """How long and how sparse the weights are."""
    columns = ("model", "l1 norm", "l2 norm", "l1 over l2", "weights that count")
    rows = tuple((case.label, case.l1, case.l2, case.l1 / max(case.l2, 1e-12), case.share) for case in cases)
    counting = f"those count that reach {100 * sparse:g}% of the largest"
    caption = f"Of the difference of two classes' weights, a mean over pairs; {counting}."
    return Table(columns, rows, caption, Look(shares=frozenset({"weights that count"})))


def figures(
    cases: Sequence[Case], epsilons: Sequence[float], data: Data, pictured: bool
) -> dict[str, Callable[[], bytes]]:
    """Accuracy along epsilon, and the weights as images."""
    found: dict[str, Callable[[], bytes]] = {"Robust accuracy along epsilon": partial(_accuracies, cases, epsilons)}
    return found | ({"Weights": partial(_weights, cases, data)} if pictured else {})


def _accuracies(cases: Sequence[Case], epsilons: Sequence[float]) -> bytes:
    x = [0.0, *epsilons]
    panels = {
        case.label: {
            name: Curve(x=x, y=[case.accuracy(place, theory=theory) for place in (None, *range(len(epsilons)))])
            for name, theory in (("exact, by theory", True), ("after FGSM, measured", False))
        }
        for case in cases
    }
    return curves(panels, Axis(label="epsilon (linf)"), Axis(label="accuracy in the box", share=True))


def _weights(cases: Sequence[Case], data: Data) -> bytes:
    """Of two classes their difference and its sign; of more the weights of each."""
    if len(data.classes) > 2:
        return tile_grid(
            {
                case.label: [
                    Tile(image=stretched(w), caption=name) for w, name in zip(case.weight, data.classes, strict=True)
                ]
                for case in cases
            },
            side=1.0,
        )
    first, second = data.classes
    rows = {}
    for case in cases:
        pull = case.weight[1] - case.weight[0]
        rows[case.label] = [
            Tile(image=stretched(pull), caption=f"weights ({first} dark, {second} bright)"),
            Tile(
                image=stretched(pull.sign() * (pull.abs() >= case.sparse * pull.abs().max())),
                caption="their sign, where they count: what FGSM adds or takes",
            ),
        ]
    return tile_grid(rows, side=1.9)


def notes(bent: Sequence[str], *, two: bool) -> list[str]:
    """What was left out, and how exact the numbers are."""
    found = [f"{label} is not linear and is left out." for label in bent]
    exact = "FGSM is the worst case of a linear model of two classes, so that both accuracies agree."
    lower = "The exact robust accuracy is that of every possible attack in the ball; FGSM's is above it or equal."
    return [*found, exact if two else lower]
