"""Substitute: Papernot, McDaniel, Goodfellow, Jha, Celik and Swami, "Practical black-box attacks against machine
learning", ASIACCS 2017.

A few samples are labelled by the model under attack, which gives nothing else; a net of one's own is trained on them;
each sample begets x + lambda sign(grad_x log p_label(x)), where the net is sensitive; and again, with twice the data.
A gradient attack on the result is then tried on the model itself, by `attack/transfer` or `attack/ensemble`. Optional,
as in Papernot, McDaniel and Goodfellow 2016: lambda changes sign every `period` rounds, and a round asks for no more
than `most` labels. True labels are never looked at.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from advorch.api import Access, Box, Norm, Outcome, Seeds, StageContext
from advorch.kit.attack.checks import check_fit
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.objectives import cross_entropy
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Victim
from advorch.kit.codecs import untie
from advorch.kit.data import Data
from advorch.kit.handover import hand_over
from advorch.kit.inputs import OpenModel, build_model, describe_model, open_data, open_model
from advorch.kit.repeatable import same_draws
from advorch_builtins.training.catalog_substitute import SubstituteParams

_STATE = "state.safetensors"
_ROWS = 512


def run(context: StageContext, params: SubstituteParams) -> Outcome:
    """Ask, train, beget, ask; the last round trains on everything."""
    oracle, data = open_model(context, context.inputs["model"][0]), open_data(context, context.inputs["data"][0])
    check_fit(oracle.signature, data.signature)
    label = f"substitute {params.model.uses} of {oracle.label}"
    record = describe_model(context, params.model, data.signature, label=label)
    module = build_model(context, params.model, data.signature, seed=context.seeds.stream("init")).to(context.device)
    study = _Study.begin(context, params, oracle, module, data)
    metrics = study.complete(context, _validation(context))
    return hand_over(context, module, record, metrics)


@dataclass(slots=True, kw_only=True)
class _Study:
    """What the attacker has: a net, samples, and the labels that it asked for."""

    params: SubstituteParams
    oracle: OpenModel
    module: nn.Module
    box: Box | None
    seeds: Seeds
    x: Tensor
    y: Tensor
    done: int = 0

    @classmethod
    def begin(
        cls, context: StageContext, params: SubstituteParams, oracle: OpenModel, module: nn.Module, data: Data
    ) -> "_Study":
        """With the seed samples labelled, or where a checkpoint ends."""
        x, nothing = data.x.to(context.device), torch.empty(0, dtype=torch.int64)
        study = cls(
            params=params, oracle=oracle, module=module, box=data.box, seeds=context.seeds, x=x, y=nothing.to(x.device)
        )
        found = context.resume()
        if found is None:
            study.y = study.ask(x)
        else:
            study.restore(found, context.device)
        return study

    def complete(self, context: StageContext, validation: Tensor | None) -> dict[str, float]:
        """The rounds that are left."""
        metrics = self.measured(validation)
        while self.done < self.params.rounds:
            if self.done:
                self.beget()
            self.train()
            self.done += 1
            metrics = self.measured(validation)
            folder = context.scratch / f"round-{self.done}"
            self.keep(folder, context.rank)
            context.report(metrics, step=self.done, checkpoint=folder)
            shutil.rmtree(folder, ignore_errors=True)
        return metrics

    def ask(self, x: Tensor) -> Tensor:
        """What the model under attack takes samples for."""
        victim = Victim(self.oracle.module, box=self.box, norm=Norm.LINF, epsilon=0.0, access=Access.LABELS)
        with untouched(self.oracle.module):
            return torch.cat([victim.labels(x[rows]) for rows in _portions(len(x))])

    def beget(self) -> None:
        """Jacobian-based augmentation; the new samples are asked for at once."""
        chosen = self._parents()
        legal = ThreatSet.around(self.x[chosen], Norm.UNBOUNDED, torch.inf, box=self.box)
        fresh = legal.project(legal.x + self._step() * _rise(self.module, legal.x, self.y[chosen]).sign())
        self.x, self.y = torch.cat([self.x, fresh]), torch.cat([self.y, self.ask(fresh)])

    def train(self) -> None:
        """From the weights of the round before, by Adam afresh; what dropout draws belongs to the round."""
        with same_draws(self.seeds.stream(f"round {self.done}")):
            optimizer = torch.optim.Adam(self.module.parameters(), self.params.lr)
            self.module.train()
            for _ in range(self.params.epochs):
                order = torch.randperm(len(self.x)).to(self.x.device)
                for part in _portions(len(order), self.params.batch):
                    rows = order[part]
                    if len(rows) > 1 or len(self.x) == 1:  # nothing is normalised over one sample
                        optimizer.zero_grad()
                        loss = functional.cross_entropy(self.module(self.x[rows]), self.y[rows])
                        loss.backward()  # type: ignore[no-untyped-call]
                        optimizer.step()
            self.module.eval()

    def measured(self, validation: Tensor | None) -> dict[str, float]:
        """Labels asked for, and the share of samples that both models take for the same; to know that costs nothing."""
        samples = self.x if validation is None else validation
        wanted = self.y if validation is None else self.ask(validation)
        same = [_labels(self.module, samples[rows]) for rows in _portions(len(samples))]
        agreement = float(torch.cat(same).eq(wanted).double().mean())
        return {"queries": float(len(self.y)), "samples": float(len(self.x)), "agreement": agreement}

    def keep(self, folder: Path, rank: int) -> None:
        """Everything that the next round needs; rank 0 writes."""
        if rank:
            return
        folder.mkdir(parents=True, exist_ok=True)
        weights, _ = untie({f"net.{name}": value for name, value in self.module.state_dict().items()})
        study = {"x": self.x.cpu().contiguous(), "y": self.y.cpu(), "done": torch.tensor(self.done)}
        save_file(weights | study, folder / _STATE)

    def restore(self, folder: Path, device: str) -> None:
        """Read back what `keep` wrote."""
        state = load_file(folder / _STATE)
        self.x, self.y, self.done = state.pop("x").to(device), state.pop("y").to(device), int(state.pop("done"))
        weights = {name.removeprefix("net."): value for name, value in state.items()}
        self.module.load_state_dict(weights, strict=False)
        self.module.eval()

    def _parents(self) -> Tensor:
        """All samples, or so many of them, evenly."""
        if self.params.most is None or self.params.most >= len(self.x):
            return torch.arange(len(self.x), device=self.x.device)
        draws = Draws(self.seeds.stream("reservoir"), torch.arange(len(self.x))).fork(self.done)
        order = draws.uniform((), like=torch.zeros((), dtype=torch.float64)).argsort(stable=True)
        return order[: self.params.most].sort().values.to(self.x.device)

    def _step(self) -> float:
        period = self.params.period
        return self.params.lambda_ * (-1 if period is not None and (self.done - 1) // period % 2 else 1)


def _rise(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The gradient of the label's log-probability, whose sign is that of the probability itself."""
    with untouched(module):
        parts = []
        for rows in _portions(len(x)):
            point = x[rows].detach().requires_grad_()
            height = -cross_entropy(module(point), y[rows]).sum()
            parts.append(torch.autograd.grad(height, point)[0])
        return torch.cat(parts)


def _portions(count: int, size: int = _ROWS) -> Iterator[slice]:
    """All of so many rows, some at a time."""
    return (slice(start, start + size) for start in range(0, count, size))


@torch.no_grad()
def _labels(module: nn.Module, x: Tensor) -> Tensor:
    module.eval()
    labels: Tensor = module(x).argmax(1)
    return labels


def _validation(context: StageContext) -> Tensor | None:
    connected = context.inputs.get("validation", ())
    return open_data(context, connected[0]).x.to(context.device) if connected else None
