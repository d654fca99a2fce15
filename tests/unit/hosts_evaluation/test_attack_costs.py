import time
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from advorch.components import Attack, Port
from advorch.errors import StageFailed
from advorch.kit.evaluation.findings import Findings, Table
from advorch.kit.evaluation.statistics import paired_difference
from advorch.kit.evaluation.subject import Subject, SubjectSet
from advorch.params import Params
from advorch.testing.evaluations import rows_of
from advorch.testing.fakes import registry_of
from advorch.threat import Access, Budget, Norm, ThreatModel
from advorch_builtins.evaluations.attack_costs import AttackCosts
from advorch_builtins.evaluations.catalog_measured import MEASURED, AttackCostsParams

WIDE = {"norm": "linf", "epsilon": 0.4, "targeted": False}


def evaluate(subject: Subject, **params: Any) -> Findings:
    torch.set_num_threads(1)
    evaluation, settings = AttackCosts(), AttackCostsParams.parse(params)
    return evaluation.reduce(subject, rows_of(evaluation, subject, settings, 3), settings)


def rows(table: Table) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def changed(item: SubjectSet, **what: Any) -> SubjectSet:
    return replace(item, samples=replace(item.samples, **what), label=str(what.get("attack", item.label)))


@pytest.fixture
def alone(subject: Subject) -> Subject:
    """`middle` and its two sets, the first of them by pgd and the second by fgsm."""
    first, second, _ = subject.adversarials
    return replace(subject, models=subject.models[:1], adversarials=(first, changed(second, attack="attack/fgsm")))


def test_rows_are_known_by_hand(alone: Subject) -> None:
    first, second = rows(evaluate(alone).tables["Attacks"])
    assert (first["robust accuracy"], first["found"], first["samples"]) == (4 / 6, 2 / 6, 6)
    assert first["mean size"] == pytest.approx(0.07)
    assert first["relative size"] == pytest.approx((0.07 / 0.45 + 0.07 / 0.55) / 2)
    assert (first["queries"], first["ms"], first["norm"]) == (1.0, None, "linf")
    assert (second["robust accuracy"], second["found"], second["samples"]) == (6 / 8, 1 / 7, 8)


def test_a_model_meets_its_own_sets_alone(subject: Subject) -> None:
    found = evaluate(subject)
    assert {row["model"] for row in rows(found.tables["Attacks"])} == {"erm middle"}
    assert found.metrics["erm_early.clean_accuracy"] == 5 / 8
    assert "erm_early.robust_accuracy" not in found.metrics


def test_a_minimal_budget_is_found_at_any_distance_and_judged_at_epsilon(alone: Subject) -> None:
    free = changed(alone.adversarials[0], budget=Budget.MINIMAL, attack="attack/deepfool")
    found = evaluate(replace(alone, adversarials=(free,)))
    (row,) = rows(found.tables["Attacks"])
    assert (row["robust accuracy"], row["found"]) == (4 / 6, 3 / 6)
    assert row["mean size"] == pytest.approx((0.30 + 0.07 + 0.07) / 3)
    (small,) = rows(found.tables["Smallest perturbations"])
    assert small["test error"] == pytest.approx(1 / 8)
    assert small["deepfool: relative size"] == pytest.approx((0.30 / 0.30 + 0.07 / 0.45 + 0.07 / 0.55) / 3)
    assert small["deepfool: found"] == 0.5


def test_a_targeted_one_is_found_where_it_reached_its_target(alone: Subject) -> None:
    samples = alone.adversarials[0].samples
    aimed = changed(
        alone.adversarials[0],
        budget=Budget.MINIMAL,
        settings={**samples.settings, "targeted": True},
        target=torch.where(samples.ids == 13, samples.y, 1 - samples.y),
    )
    (row,) = rows(evaluate(replace(alone, adversarials=(aimed,))).tables["Attacks"])
    assert row["found"] == 2 / 6, "12 and 14; 13 was to stay what it is"


def test_sizes_are_measured_in_the_norm_that_is_asked_for(alone: Subject) -> None:
    wide = replace(alone.data, x=alone.data.x.expand(-1, 4).contiguous())
    tile = tuple(
        changed(item, adversarial=item.samples.adversarial.expand(-1, 4).contiguous()) for item in alone.adversarials
    )
    sizes = {
        measure: rows(evaluate(replace(alone, data=wide, adversarials=tile), measure=measure).tables["Attacks"])[0]
        for measure in ("linf", "l2", "l1")
    }
    assert sizes["l2"]["mean size"] == pytest.approx(2 * sizes["linf"]["mean size"], rel=1e-6)
    assert sizes["l1"]["mean size"] == pytest.approx(4 * sizes["linf"]["mean size"], rel=1e-6)
    assert sizes["l2"]["relative size"] == pytest.approx(sizes["linf"]["relative size"], rel=1e-6)


def test_what_has_no_norm_has_no_size(alone: Subject) -> None:
    samples = alone.adversarials[0].samples
    turned = changed(alone.adversarials[0], settings={**samples.settings, "norm": "unbounded"})
    found = evaluate(replace(alone, adversarials=(turned,)))
    (row,) = rows(found.tables["Attacks"])
    assert (row["found"], row["mean size"], row["relative size"]) == (3 / 6, None, None), "no ball, nothing outside"
    assert "relative_size" not in found.metrics


def test_a_claim_is_tested_on_the_samples_that_both_tried(alone: Subject) -> None:
    found = evaluate(alone, versus=["pgd", "fgsm"])
    assert found.metrics.keys() == MEASURED
    won = (
        torch.tensor([False, False, False, True, True, False]),
        torch.tensor([False, False, False, True, False, False]),
    )
    share, interval = paired_difference(*won)
    assert found.metrics["advantage"] == share == pytest.approx(1 / 6)
    assert found.metrics["advantage_low"] == interval.low < 0 < found.metrics["advantage_high"]
    (claim,) = rows(found.tables["Claim"])
    assert (claim["pgd fools"], claim["fgsm fools"], claim["pgd"], claim["samples"]) == (2 / 6, 1 / 6, "undecided", 6)
    assert any("undecided" in note for note in found.notes)


def test_a_claim_about_an_attack_that_was_not_run_names_those_that_were(alone: Subject) -> None:
    with pytest.raises(StageFailed, match="no attack 'cw'") as refused:
        evaluate(alone, versus=["cw", "pgd"])
    assert "fgsm, pgd" in str(refused.value.hint)


def test_sets_for_other_models_alone_are_refused(alone: Subject) -> None:
    stray = changed(alone.adversarials[0], model="gone")
    with pytest.raises(StageFailed, match="no set was made"):
        evaluate(replace(alone, adversarials=(stray,)))


class Busy:
    """Burns five milliseconds a call and remembers what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []

    def __call__(self, victim: Any, x: Tensor, y: Tensor, params: Any, rng: Any) -> Tensor:
        self.batches.append([round(value, 2) for value in x.flatten().tolist()])
        until = time.process_time() + 0.005
        while time.process_time() < until:
            pass
        return x


def timed(alone: Subject, busy: Busy, component: type[Attack[Any]] = Attack) -> float | None:
    threat = ThreatModel(access=Access.GRADIENTS, norms=frozenset({Norm.LINF}))
    attack: Attack[Any] = component(name="busy", summary="", params=Params, load=lambda: busy, threat=threat)
    item = changed(alone.adversarials[0], attack="attack/busy", settings={"norm": "linf", "epsilon": 0.1, "chunk": 4})
    known = registry_of(attack)
    found = evaluate(replace(alone, adversarials=(item,), lookup=known.component), timed=4, together=2)
    milliseconds = rows(found.tables["Attacks"])[0]["ms"]
    return None if milliseconds is None else float(milliseconds)


def test_time_is_that_of_the_attack_run_again_on_samples_that_were_right(alone: Subject) -> None:
    busy = Busy()
    found = timed(alone, busy)
    assert busy.batches == [[0.1, 0.2], [0.1, 0.2], [0.3, 0.45]], "one batch to warm up, then four samples"
    assert found is not None
    assert 2.5 <= found < 25


def test_an_attack_with_more_inputs_cannot_be_run_again(alone: Subject) -> None:
    class Borrowing(Attack[Any]):
        def inputs(self) -> dict[str, Port]:
            ports = dict(super().inputs())
            return {**ports, "surrogates": ports["model"]}

    busy = Busy()
    assert timed(alone, busy, Borrowing) is None
    assert not busy.batches


def test_a_claim_is_about_the_ball_whatever_the_budget(alone: Subject) -> None:
    """At any distance deepfool fools three, and within epsilon two, as pgd does with the same points."""
    free = changed(alone.adversarials[0], budget=Budget.MINIMAL, attack="attack/deepfool")
    found = evaluate(replace(alone, adversarials=(alone.adversarials[0], free)), versus=["pgd", "deepfool"])
    (claim,) = rows(found.tables["Claim"])
    assert (claim["pgd fools"], claim["deepfool fools"], claim["difference"]) == (2 / 6, 2 / 6, 0)


def test_a_claim_about_one_of_two_attacks_of_one_name_wants_its_label(alone: Subject) -> None:
    again = replace(alone.adversarials[1], samples=replace(alone.adversarials[0].samples, settings=WIDE), label="wide")
    subject = replace(alone, adversarials=(*alone.adversarials, again))
    with pytest.raises(StageFailed, match="several attacks 'pgd' were made") as refused:
        evaluate(subject, versus=["fgsm", "pgd"])
    assert "wide" in str(refused.value.hint)
    assert evaluate(subject, versus=["fgsm", "wide"]).metrics["advantage"] == pytest.approx((1 - 3) / 6)


def test_a_claim_without_a_common_sample_has_no_numbers(alone: Subject) -> None:
    first, second = alone.adversarials
    ids = second.samples.ids + 100
    found = evaluate(replace(alone, adversarials=(first, changed(second, ids=ids))), versus=["pgd", "fgsm"])
    assert "advantage" not in found.metrics
    assert any("cannot be compared" in note for note in found.notes)
    assert rows(found.tables["Attacks"])[1]["robust accuracy"] is None


@pytest.mark.parametrize("measure", [None, "l2"])
def test_robust_accuracy_is_the_worst_case_over_all_attacks_however_they_are_measured(
    alone: Subject, measure: str | None
) -> None:
    samples = alone.adversarials[0].samples
    turned = changed(alone.adversarials[0], settings={**samples.settings, "norm": "unbounded"})
    found = evaluate(replace(alone, adversarials=(turned,)), measure=measure)
    assert found.metrics["robust_accuracy"] == 3 / 6
