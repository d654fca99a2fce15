"""Perturbed hidden layers: the closed form of a linear head, and which layers are looked at."""

import pytest
import torch
from torch import Tensor, nn

from advorch.errors import StageFailed
from advorch.kit.attack.hidden import activations, strength
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.testing.evaluations import rows_of
from advorch_builtins.evaluations.catalog_hidden import HIDDEN, HiddenParams


class Twice(nn.Module):
    """One activation that is called twice, one that is called once, one that is the output."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)
        self.shared, self.single, self.end = nn.ReLU(), nn.Tanh(), nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.end(self.last(self.single(self.shared(self.shared(self.first(x))))))
        return logits


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Sigmoid(), nn.Linear(7, 2)).double().eval()


def subject_of(*modules: nn.Module) -> Subject:
    x = torch.rand(12, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = modules[0](x).argmax(1)
    models = tuple(SubjectModel(label=f"m{n}", digest=str(n), module=module) for n, module in enumerate(modules))
    return Subject(data=Data(x=x, y=y, ids=torch.arange(12), classes=("a", "b")), models=models)


def evaluate(subject: Subject, **values: object) -> Findings:
    evaluation, params = HIDDEN.load(), HiddenParams.parse(values)
    return evaluation.reduce(subject, rows_of(evaluation, subject, params, 8), params)


def accuracies(findings: Findings, layer: str) -> list[object]:
    return [row[3] for row in findings.tables["Perturbed layers"].rows if row[1] == layer]


@pytest.mark.parametrize("relative", [False, True])
def test_a_linear_head_gives_way_where_epsilon_times_its_l1_norm_exceeds_the_margin(
    net: nn.Module, relative: bool
) -> None:
    subject = subject_of(net)
    head, x = net[2], subject.data.x
    assert isinstance(head, nn.Linear)
    said = net[1](net[0](x)).detach()
    unit = said.square().mean(1).sqrt() if relative else torch.ones(12, dtype=torch.float64)
    assert torch.allclose(strength(net, "1", x), said.square().mean(1).sqrt())
    logits = net(x).detach()
    needed = (logits[:, 0] - logits[:, 1]).abs() / (head.weight[0] - head.weight[1]).detach().abs().sum() / unit
    epsilons = [0.0, *(float(needed.quantile(share)) for share in (0.3, 0.6)), float(1.1 * needed.max())]
    findings = evaluate(subject, epsilons=epsilons, relative=relative)
    wanted = [float((needed > epsilon).double().mean()) for epsilon in epsilons]
    assert accuracies(findings, "1") == wanted
    assert 1 > wanted[1] > wanted[2] > wanted[3] == 0
    assert findings.metrics == {"clean_accuracy": 1.0, "hidden_accuracy": wanted[-1]}


def test_layers_are_the_activations_unless_named(net: nn.Module) -> None:
    subject = subject_of(net)
    assert accuracies(evaluate(subject, epsilons=[0.0]), "1") == [1.0]
    assert not accuracies(evaluate(subject, epsilons=[0.0]), "0")
    assert accuracies(evaluate(subject, epsilons=[0.0], layers=["0"]), "0") == [1.0]
    assert activations(Twice(), torch.rand(2, 3)) == ["single"]
    assert not any(part._forward_hooks for part in net.modules())


def test_the_output_and_unknown_layers_are_refused(net: nn.Module) -> None:
    with pytest.raises(StageFailed, match="is the output of the model") as refusal:
        evaluate(subject_of(net), layers=["2"])
    assert "no weight comes after them" in refusal.value.hint
    with pytest.raises(StageFailed, match="no layer 'body'"):
        evaluate(subject_of(net), layers=["body"])


def test_a_model_without_hidden_layers_is_named(net: nn.Module) -> None:
    findings = evaluate(subject_of(net, nn.Linear(5, 2).double()), names=["deep", "flat"])
    assert findings.notes[-1] == "Without an activation function, so without a hidden layer: flat."
    assert set(findings.metrics) == {"m0.clean_accuracy", "m0.hidden_accuracy", "m1.clean_accuracy"}
    assert findings.pictures()["Accuracy by size"].startswith(b"\x89PNG")
