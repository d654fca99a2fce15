"""One table over attacks: what they see, what they want, and a verdict of its own."""

from dataclasses import replace

import pytest
import torch

from advorch.canonical import Json
from advorch.errors import StageFailed
from advorch.kit.adversarial_set import AdversarialSet
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject, name_sets
from advorch.testing.evaluations import rows_of
from advorch.threat import Access, Budget
from advorch_builtins.evaluations.catalog_attack_table import ATTACK_TABLE, AttackTableParams

IDS = torch.arange(10, 18)
X = torch.tensor([0.10, 0.20, 0.30, 0.45, 0.55, 0.70, 0.80, 0.90])
Y = torch.tensor([0, 0, 0, 0, 1, 1, 1, 0])  # the last is wrong to `middle`, which is a threshold at .5


def made(
    moved: dict[int, float], access: Access | None, *, model: str = "middle", queries: int = 1, **settings: Json
) -> AdversarialSet:
    """A set in which some numbers, by id, are moved, with what an honest attack would record."""
    changed = torch.tensor([moved.get(int(index), float(x)) for index, x in zip(IDS, X, strict=True)])
    before, after = (X > 0.5).long(), (changed > 0.5).long()
    return AdversarialSet(
        adversarial=changed[:, None], ids=IDS, y=Y, clean_prediction=before, adversarial_prediction=after,
        success=(before == Y) & (after != Y), distance=(changed - X).abs(), queries=torch.full((8,), queries),
        classes=("low", "high"), box=(0.0, 1.0), attack="attack/pgd",
        settings={"norm": "linf", "epsilon": 0.1, "targeted": False, **settings}, model=model, data="data", label=model,
        access=access,
    )  # fmt: skip


def evaluate(subject: Subject, *sets: AdversarialSet, **params: object) -> Findings:
    subject = replace(subject, adversarials=name_sets(sets))
    evaluation, known = ATTACK_TABLE.load(), AttackTableParams.parse(params)
    return evaluation.reduce(subject, rows_of(evaluation, subject, known, 4), known)


def test_lines_say_access_goal_verdict_and_cost(subject: Subject) -> None:
    """Of seven samples that are right, 13 and 14 can be fooled within .1; the one at 12 went too far and counts not."""
    strong = made({12: 0.6, 13: 0.52, 14: 0.48}, Access.GRADIENTS, queries=10)
    weak = made({13: 0.52}, Access.LABELS, queries=200, steps=20)
    findings = evaluate(subject, weak, strong, names=["M", "E"])
    table = findings.tables["Attacks"]
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [(row["model"], row["sees"]) for row in rows] == [("M", ""), ("M", "white box"), ("M", "labels"), ("E", "")]
    assert rows[0]["accuracy"] == 7 / 8
    assert (rows[1]["accuracy"], rows[1]["reached"], rows[1]["queries"]) == (5 / 8, 2 / 7, 10)
    assert rows[1]["mean distance"] == pytest.approx(0.07)
    assert (rows[2]["accuracy"], rows[2]["reached"], rows[2]["queries"]) == (6 / 8, 1 / 7, 200)
    assert findings.metrics["erm_middle.white_box_accuracy"] == 5 / 8
    assert findings.metrics["erm_middle.labels_accuracy"] == 6 / 8
    assert findings.metrics["erm_middle.worst_accuracy"] == 5 / 8
    assert "erm_early.worst_accuracy" not in findings.metrics


def test_a_target_is_reached_where_the_model_says_it(subject: Subject) -> None:
    aims = made({13: 0.52, 14: 0.48}, Access.SCORES, targeted=True)
    aims = replace(aims, target=torch.tensor([1, 1, 1, 1, 1, 0, 0, 1]))
    [row] = [row for row in evaluate(subject, aims).tables["Attacks"].rows if row[1] == "target"]
    assert row[2:4] == ("scores", "pgd linf eps 0.1 targeted")
    assert row[7] == pytest.approx(1 / 7), "14 is fooled, and its target was its own class"


def test_a_smallest_perturbation_has_its_distance_beyond_epsilon(subject: Subject) -> None:
    far = replace(made({12: 0.6, 13: 0.52}, Access.GRADIENTS), budget=Budget.MINIMAL)
    [row] = [row for row in evaluate(subject, far).tables["Attacks"].rows if row[2] == "white box"]
    assert row[7] == pytest.approx(1 / 7)
    assert row[9] == pytest.approx((0.3 + 0.07) / 2)


def test_groups_follow_what_attacks_see_and_old_sets_say_nothing(subject: Subject) -> None:
    sets = [
        made({13: 0.52}, None),
        made({13: 0.52}, Access.NOTHING, steps=3),
        made({13: 0.52}, Access.GRADIENTS, steps=4),
    ]
    findings = evaluate(subject, *sets)
    seen = [row[2] for row in findings.tables["Attacks"].rows if row[0] == "erm middle"]
    assert seen == ["", "white box", "nothing", "not said"]
    assert any(note.startswith("Made on other models") for note in findings.notes)
    assert findings.pictures()["Goal reached by attack"].startswith(b"\x89PNG")


def test_sets_of_strangers_are_refused(subject: Subject) -> None:
    with pytest.raises(StageFailed, match="none of the adversarial sets"):
        evaluate(subject, made({}, Access.SCORES, model="other"))


def test_what_leaves_the_box_has_no_distance_and_what_has_no_ball_neither(subject: Subject) -> None:
    far = replace(made({12: 1.6, 13: 0.52}, Access.GRADIENTS), budget=Budget.MINIMAL)
    turned = made({13: 0.52}, Access.GRADIENTS, norm="unbounded")
    first, second = [row for row in evaluate(subject, far, turned).tables["Attacks"].rows if row[2] == "white box"]
    assert first[9] == pytest.approx(0.07), "1.6 is no number of the data"
    assert (second[7], second[9]) == (pytest.approx(1 / 7), None)


def test_a_set_without_a_sample_of_the_data_has_blanks(subject: Subject) -> None:
    stray = replace(made({}, Access.GRADIENTS), ids=IDS + 100)
    [row] = [row for row in evaluate(subject, stray).tables["Attacks"].rows if row[2] == "white box"]
    assert row[4:8] == (None, None, None, None)
    assert row[8] == 0


def test_only_unequal_targets_differ_by_luck(subject: Subject) -> None:
    aims = made({13: 0.52}, Access.SCORES, targeted=True)
    ones, turned = (replace(aims, target=torch.tensor(target)) for target in ([1] * 5 + [0] * 3, [1] * 4 + [0] * 4))
    again = replace(ones, settings={**ones.settings, "steps": 9})
    assert not any("luck" in note for note in evaluate(subject, ones, again).notes)
    assert any("luck" in note for note in evaluate(subject, ones, replace(turned, settings=again.settings)).notes)
