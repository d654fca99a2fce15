"""Does adversarial training descend? Latorre, Krawczuk, Dadi, Pethick and Cevher, "Finding actual descent directions
for adversarial training" (ICLR 2023).

The worst case phi(w) = max over delta of the loss is as steep as Danskin's theorem says only where it has one
maximiser: at several, the gradient at one of them need not point down. Of all combinations of their gradients the
shortest does. Measured: phi along both, with fresh attacks at every point, and every maximiser of the start again.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Finish
from advorch.kit.data import Data
from advorch.kit.evaluation.attackers import Attacker, attacker
from advorch.kit.evaluation.findings import Findings, metrics_by_label
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations import descent_directions_report as report
from advorch_builtins.evaluations.catalog_training import DescentDirectionsParams
from advorch_builtins.evaluations.descent_directions_report import Walks
from advorch_builtins.parts.descent_direction import shortest

_STEPS = 1000  # of the search for the shortest combination


class DescentDirections:
    """Rows are maximisers, sample by sample; a batch's gradients are taken when all of it is there."""

    def map(self, subject: Subject, batch: Data, params: DescentDirectionsParams) -> Mapping[str, Tensor]:
        """By model and draw: where the attack ends."""
        attacks = _attackers(subject, params, "maximisers")
        return {
            f"found/{place}/{draw}": attack.perturb(model, batch, batch.y, finish=Finish.LAST)
            for place, model in enumerate(subject.models)
            for draw, attack in enumerate(attacks)
        }

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: DescentDirectionsParams) -> Findings:
        """The worst case along every direction, and how the gradients of a batch stand to each other."""
        walks = [_walks(subject, place, rows, params) for place in range(len(subject.models))]
        return Findings(
            metrics=metrics_by_label([found.model for found in walks], [found.metrics() for found in walks]),
            tables=report.tables(walks),
            figures=report.figures(walks),
            notes=report.notes(params.batch, len(subject.data), params.draws),
        )


def _attackers(subject: Subject, params: DescentDirectionsParams, purpose: str) -> list[Attacker]:
    """One attack with as many sets of random numbers as draws."""
    found, rng = attacker(subject, params.attack), Draws(subject.seed, subject.data.ids).fork(purpose)
    return [replace(found, seed=rng.fork(draw).seed) for draw in range(params.draws)]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some samples and what each draw made of them."""

    data: Data
    maximisers: tuple[Tensor, ...]


def _cut(subject: Subject, place: int, rows: Mapping[str, Tensor], params: DescentDirectionsParams) -> Iterator[Batch]:
    for start in range(0, len(subject.data), params.batch)[: params.batches]:
        part = slice(start, start + params.batch)
        draws = (rows[f"found/{place}/{draw}"][part].to(subject.device) for draw in range(params.draws))
        yield Batch(subject.data.take(part).to(subject.device), tuple(draws))


def _walks(subject: Subject, place: int, rows: Mapping[str, Tensor], params: DescentDirectionsParams) -> Walks:
    """Every batch followed along single gradients, along their mean, and along the shortest combination."""
    model, lengths = subject.models[place], torch.linspace(0, params.reach, params.points + 1).tolist()
    fresh = _attackers(subject, params, "worst case")
    found: dict[str, list[Tensor]] = {report.SINGLE: [], report.MEAN: [], report.SHORTEST: []}
    cosines, norms = [], []
    for batch in _cut(subject, place, rows, params):
        gradients = torch.stack([slope(model.module, point, batch.data.y) for point in batch.maximisers])
        shares = shortest(gradients.double() @ gradients.double().T, _STEPS).to(gradients.dtype)
        ways = {report.SINGLE: gradients[: params.singles], report.MEAN: gradients.mean(0, keepdim=True),
                report.SHORTEST: (shares @ gradients)[None]}  # fmt: skip
        for name, directions in ways.items():
            found[name] += [_along(model, batch, -direction, lengths, fresh) for direction in directions]
        cosines.append(functional.normalize(gradients, dim=1) @ functional.normalize(gradients, dim=1).T)
        norms.append(torch.stack([(shares @ gradients).norm(), gradients.norm(dim=1).mean()]))
    return Walks(model.label, lengths, {name: torch.stack(each) for name, each in found.items()},
                 torch.stack(cosines), torch.stack(norms))  # fmt: skip


def slope(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The gradient of the mean loss in all weights, as one vector."""
    with untouched(module), torch.enable_grad():
        weights = [weight.requires_grad_() for weight in module.parameters()]
        found = torch.autograd.grad(functional.cross_entropy(module(x), y), weights, allow_unused=True)
    return torch.cat([(torch.zeros_like(weight) if each is None else each).flatten()
                      for weight, each in zip(weights, found, strict=True)])  # fmt: skip


def _along(
    model: SubjectModel, batch: Batch, direction: Tensor, lengths: Sequence[float], fresh: Sequence[Attacker]
) -> Tensor:
    """The worst case at every length along the unit vector, less that of the start."""
    unit = direction / direction.norm().clamp_min(1e-12)
    worst = torch.stack([worst_case(moved(model, length * unit), batch, fresh) for length in lengths])
    return worst - worst[0]


def moved(model: SubjectModel, change: Tensor) -> SubjectModel:
    """A copy with other weights."""
    module, start = copy.deepcopy(model.module), 0
    for weight in module.parameters():
        weight.data += change[start : start + weight.numel()].view_as(weight)
        start += weight.numel()
    return replace(model, module=module)


def worst_case(model: SubjectModel, batch: Batch, fresh: Sequence[Attacker]) -> Tensor:
    """The mean over samples of the largest loss that any attack finds, or had found at the start."""
    points = [*batch.maximisers, *(each.perturb(model, batch.data, batch.data.y, finish=Finish.LAST) for each in fresh)]
    with torch.no_grad():
        losses = [functional.cross_entropy(model.module(point), batch.data.y, reduction="none") for point in points]
    return torch.stack(losses).amax(0).double().mean().cpu()
