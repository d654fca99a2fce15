"""Accuracy against epsilon, what an attack adds and costs, both verdicts of rounding, and suspicious gradients."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from advorch.kit.adversarial_set import AdversarialSet
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings, Table
from advorch.kit.evaluation.statistics import wilson
from advorch.kit.evaluation.subject import Subject, SubjectModel, name_sets
from advorch.testing.evaluations import rows_of
from advorch_builtins.evaluations.catalog import RobustnessParams
from advorch_builtins.evaluations.robustness import Robustness
from advorch_builtins.evaluations.robustness_curves import compared
from advorch_builtins.evaluations.verdicts import standings

CLASSES = ("low", "high")
PARAMS = RobustnessParams()


def evaluate(subject: Subject, chunk: int = 3) -> Findings:
    torch.set_num_threads(1)
    return Robustness().reduce(subject, rows_of(Robustness(), subject, PARAMS, chunk), PARAMS)


def rows(table: Table, **where: object) -> list[dict[str, Any]]:
    records = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return [record for record in records if all(record[name] == value for name, value in where.items())]


def crowd(middle: SubjectModel, fooled: int, **own: Any) -> Subject:
    """40 samples just below the threshold: the model's own attack moves nobody, a transferred set so many."""
    x, y = torch.full((40, 1), 0.45), torch.zeros(40, dtype=torch.int64)
    data = Data(x=x, y=y, ids=torch.arange(40), classes=CLASSES, box=(0.0, 1.0))
    crossing = torch.where(torch.arange(40)[:, None] < fooled, x + 0.08, x)
    sets = [crowd_set(x, "middle", **own), crowd_set(crossing, "other")]
    return Subject(data=data, data_digest="data", models=(middle,), adversarials=name_sets(sets))


def crowd_set(z: Tensor, model: str, **columns: Any) -> AdversarialSet:
    zeros, after = torch.zeros(40, dtype=torch.int64), (z > 0.5).long().flatten()
    settings = {"norm": "linf", "epsilon": 0.1, "targeted": False} | columns.pop("settings", {})
    known = {"distance": (z - 0.45).abs().flatten(), "queries": zeros + 3} | columns
    return AdversarialSet(
        adversarial=z, ids=torch.arange(40), y=zeros, clean_prediction=zeros, adversarial_prediction=after,
        success=after == 1, classes=CLASSES, box=(0.0, 1.0), attack="attack/pgd", settings=settings, model=model,
        data="data", label=model, **known,
    )  # fmt: skip


def test_a_transferred_set_that_beats_the_model_s_own_attacks_raises_suspicion(middle: SubjectModel) -> None:
    """One sample of 40 may be luck, and twelve may not: the paired interval decides."""
    suspicions = {
        fooled: [note for note in evaluate(crowd(middle, fooled)).notes if "suspect its gradients" in note]
        for fooled in (0, 1, 12)
    }
    assert [len(found) for found in suspicions.values()] == [0, 0, 1]
    assert "30.0 points more, 95% interval" in suspicions[12][0]


def curved(fell: dict[float, int], model: str = "middle", name: str = "pgd", **columns: Any) -> AdversarialSet:
    """40 samples of which so many fall at each of four epsilons; an adversarial lies a hair nearer than its epsilon."""
    sizes = [epsilon for epsilon, count in fell.items() for _ in range(count)]
    smallest = torch.tensor(sizes + [torch.inf] * (40 - len(sizes)), dtype=torch.float64)
    away = 0.99 * torch.where(smallest.isfinite(), smallest, 0.0).float()
    z = 0.45 + away[:, None]
    settings = {"epsilons": [0.0, 0.06, 0.08, 0.1], "epsilon": 0.1}
    made = crowd_set(z, model, settings=settings, smallest_epsilon=smallest, distance=away.double(), **columns)
    return replace(made, attack=f"attack/{name}")


def curves_of(middle: SubjectModel, *sets: AdversarialSet) -> Findings:
    subject = crowd(middle, 0)
    return evaluate(replace(subject, adversarials=name_sets(list(sets))))


def test_accuracy_against_epsilon_is_that_of_the_set_and_never_rises(middle: SubjectModel) -> None:
    findings = curves_of(middle, curved({0.06: 10, 0.08: 4, 0.1: 2}))
    table = rows(findings.tables["Accuracy against epsilon"])
    assert [row["epsilon"] for row in table] == [0.0, 0.06, 0.08, 0.1]
    assert [row["accuracy"] for row in table] == [1.0, 30 / 40, 26 / 40, 24 / 40]
    assert (table[1]["low"], table[1]["high"]) == (wilson(30, 40).low, wilson(30, 40).high)
    assert findings.metrics["robust_accuracy"] == 24 / 40
    assert findings.pictures()["Accuracy against epsilon in linf"].startswith(b"\x89PNG")


def test_the_worst_case_against_epsilon_is_sample_by_sample(middle: SubjectModel) -> None:
    early, late = curved({0.06: 10}), curved({0.08: 20}, name="fgsm")
    findings = curves_of(middle, early, late)
    worst = rows(findings.tables["Accuracy against epsilon"], attack="worst case linf")
    assert [row["accuracy"] for row in worst] == [1.0, 30 / 40, 20 / 40, 20 / 40]


def test_models_are_also_compared_attack_by_attack(middle: SubjectModel) -> None:
    other = replace(middle, label="other", digest="other")
    subject = replace(crowd(middle, 0), models=(middle, other))
    sets = [curved({0.06: 10}), curved({0.06: 20}, model="other"), curved({0.08: 30}, name="fgsm")]
    subject = replace(subject, adversarials=name_sets(sets))
    panels = compared(standings(subject, rows_of(Robustness(), subject, PARAMS, 3)), "linf")
    assert {attack: list(panel) for attack, panel in panels.items()} == {
        "pgd": ["erm middle", "other"], "fgsm": ["erm middle"], "worst case": ["erm middle"],
    }  # fmt: skip
    assert [panels["pgd"][label].y[-1] for label in ("erm middle", "other")] == [30 / 40, 20 / 40]
    assert "Models against epsilon in linf" in evaluate(subject).figures
    assert "Models against epsilon in linf" not in curves_of(middle, sets[0]).figures


def test_a_curve_is_believed_as_far_as_its_adversarials_prove(middle: SubjectModel) -> None:
    """Claims of a smaller epsilon than the distance, and of samples that are not fooled, count for nothing."""
    honest = curved({0.06: 10, 0.1: 2})
    liar = replace(honest, smallest_epsilon=torch.full((40,), 0.01, dtype=torch.float64))
    table = rows(curves_of(middle, liar).tables["Accuracy against epsilon"])
    assert [row["accuracy"] for row in table] == [1.0, 30 / 40, 30 / 40, 28 / 40]


def test_what_each_attack_adds_and_costs(middle: SubjectModel) -> None:
    steps = torch.tensor([2, 4, 6] + [-1] * 37)
    one = replace(curved({0.06: 3}), first_step=steps, queries=torch.arange(40))
    two = curved({0.08: 10}, name="fgsm")
    first, second = rows(curves_of(middle, one, two).tables["Accuracy by attack"], kind="attack")
    assert (first["only by it"], second["only by it"]) == (0, 7)
    assert (first["mean queries"], second["mean queries"]) == (19.5, 3.0)
    assert (first["median first step"], second["median first step"]) == (4.0, None)
    (alone,) = rows(curves_of(middle, one).tables["Accuracy by attack"], kind="attack")
    assert alone["only by it"] is None


def test_both_verdicts_of_rounding_are_shown(middle: SubjectModel) -> None:
    fooled_before = torch.arange(40) < 8
    rounded = curved({0.08: 5})
    rounded = replace(rounded, unrounded_success=fooled_before, settings=dict(rounded.settings) | {"levels": 255})
    (row,) = rows(curves_of(middle, rounded).tables["Accuracy by attack"], kind="attack")
    assert (row["before rounding"], row["accuracy"]) == (32 / 40, 35 / 40)
    (plain,) = rows(curves_of(middle, curved({0.08: 5})).tables["Accuracy by attack"], kind="attack")
    assert plain["before rounding"] is None


def test_a_change_outside_its_region_fools_nobody(subject: Subject) -> None:
    x = torch.full((4, 1, 2, 2), 0.4)
    inside, outside = x.clone(), x.clone()
    inside[:, :, 0, 0] += 0.1
    outside[:, :, 1, 1] += 0.1
    data = Data(x=x, y=torch.zeros(4, dtype=torch.int64), ids=torch.arange(4), classes=CLASSES, box=(0.0, 1.0))
    settings = {"norm": "linf", "epsilon": 0.2, "region": [0, 0, 1, 2]}
    for changed, violations in ((inside, 0), (outside, 4)):
        made = AdversarialSet(
            adversarial=changed, ids=data.ids, y=data.y, clean_prediction=data.y, adversarial_prediction=data.y,
            success=data.y.bool(), distance=torch.full((4,), 0.1), queries=data.y, classes=CLASSES, box=(0.0, 1.0),
            attack="attack/pgd", settings=settings, model="middle", data="data", label="m",
        )  # fmt: skip
        mean = replace(subject.models[0], module=Mean())
        found = evaluate(Subject(data=data, data_digest="data", models=(mean,), adversarials=name_sets([made])))
        assert found.metrics["violations"] == violations


class Mean(nn.Module):
    """Class one where the mean is above one half."""

    def forward(self, x: Tensor) -> Tensor:
        height = x.flatten(1).mean(1, keepdim=True) - 0.5
        return torch.cat([-height, height], dim=1)
