"""The card as a whole: the vote on masked gradients, metrics, tables, and what is left out."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from advorch.errors import StageFailed
from advorch.hosts.evaluation import write_tables
from advorch.kit.evaluation.findings import Findings, Table
from advorch.kit.evaluation.stored_tables import read_table
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.testing.fakes import small_mlp
from advorch_builtins.evaluations.catalog import RobustnessParams
from advorch_builtins.evaluations.catalog_sanity import CHECKS, METRICS, SANITY, SanityParams
from advorch_builtins.evaluations.robustness import Robustness
from advorch_builtins.evaluations.sanity.checks import every_check

Lab = SimpleNamespace
PNG = b"\x89PNG\r\n\x1a\n"


def staircase(x: Tensor) -> Tensor:
    return (x * 8).round() / 8


def card(found: Findings) -> dict[str, Any]:
    table = found.tables["Robustness card"]
    (row,) = table.rows
    return dict(zip(table.columns, row, strict=True))


def test_every_check_has_a_number_a_question_and_a_remedy() -> None:
    checks = every_check()
    assert tuple(check.id for check in checks) == CHECKS
    for check in checks:
        assert check.asks.endswith("?")
        assert check.remedy.endswith(".")
    assert [check.id for check in checks if check.votes] == ["S2", "S4", "S5", "S7", "S8", "S10", "S16", "S17"]


def test_a_masked_model_is_called_masked(lab: Lab) -> None:
    found = lab.examine(lab.Faulty(lab.sound(), before=staircase), lab.samples_of(lab.sound()))
    row = card(found)
    assert row["verdict"].startswith("gradients are masked (")
    assert found.metrics["masking_votes"] >= 4
    assert found.metrics["robust_accuracy"] < 1
    assert any(note.startswith("own model, S10 Are there gradients? No:") for note in found.notes)


def test_a_sound_model_is_not(lab: Lab) -> None:
    found = lab.examine(lab.sound(), lab.samples_of(lab.sound()))
    assert card(found)["verdict"] == "no sign of masked gradients (0 of 8 votes)"
    assert found.metrics["checks_failed"] == 0
    assert found.metrics.keys() == METRICS
    assert found.pictures()["Checks by model"].startswith(PNG)
    assert [row[0] for row in found.tables["Checks"].rows] == list(CHECKS)


def test_own_attacks_stand_beside_the_probes(lab: Lab) -> None:
    module = lab.sound()
    data = lab.samples_of(module)
    found = lab.examine(module, data, sets=[lab.handed_in(module, data, data.x)])
    row = card(found)
    assert (row["clean"], row["own attacks"]) == (1.0, 1.0)
    assert row["probes"] < 1


def test_rows_do_not_depend_on_the_chunks(lab: Lab) -> None:
    module = small_mlp(12, 3)
    data = lab.samples_of(module)
    whole, parts = (lab.examine(module, data, chunk=chunk, samples=10) for chunk in (24, 7))
    assert whole.tables == parts.tables
    assert card(whole)["passed"] == card(parts)["passed"]


def test_a_model_that_is_always_wrong_is_examined_all_the_same(lab: Lab) -> None:
    module = lab.sound()
    data = lab.samples_of(module)
    wrong = type(data)(x=data.x, y=(data.y + 1) % 3, ids=data.ids, classes=data.classes, box=data.box)
    found = lab.examine(module, wrong)
    assert found.metrics["clean_accuracy"] == found.metrics["robust_accuracy"] == 0


def test_data_without_a_box_has_no_unbounded_attack(lab: Lab) -> None:
    module = lab.sound()
    data = lab.samples_of(module, box=None)
    assert lab.ask("S2", module, data)[0] == "not applicable"
    assert lab.ask("S7", module, data)[0] == "not applicable"
    assert lab.ask("S8", module, data)[0] == "pass"


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_other_norms_are_probed_too(lab: Lab, norm: str) -> None:
    module = lab.sound()
    found = lab.examine(module, lab.samples_of(module), norm=norm, epsilon={"l2": 0.3, "l1": 0.8}[norm], samples=12)
    assert card(found)["verdict"].startswith("no sign of masked gradients")


def test_a_channel_has_a_range_of_its_own(lab: Lab) -> None:
    torch.manual_seed(0)
    x = torch.rand(8, 2, 4, 4) * torch.tensor([1.0, 2.0])[:, None, None]
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(32, 3))
    data = lab.samples_of(lab.sound(), count=8)
    pictures = lab.labelled(module, type(data)(x=x, y=data.y, ids=data.ids, classes=data.classes,
                                               box=((0.0, 0.0), (1.0, 2.0))))  # fmt: skip
    assert lab.ask("S2", module, pictures)[0] == "pass"


def test_checks_that_do_not_exist_cannot_be_left_out() -> None:
    with pytest.raises(ValidationError, match="there is no check 'S99'"):
        SanityParams.parse({"epsilon": 0.1, "skip": ["S99"]})
    assert SANITY.params is SanityParams


def test_the_card_stands_on_the_page_of_the_accuracies(lab: Lab, tmp_path: Path) -> None:
    """As a table on disk, the way from one stage to the next."""
    module = lab.sound()
    data = lab.samples_of(module)
    write_tables(tmp_path, lab.examine(module, data))
    model = SubjectModel(label="own model", digest="own", module=module)
    rows = {"clean/0": data.y}
    connected = Subject(data=data, models=(model,), tables={"sanity": read_table(tmp_path)})
    found = Robustness().reduce(connected, rows, RobustnessParams())
    assert found.notes[0] == "own model: no sign of masked gradients (0 of 8 votes)."
    assert found.tables["Robustness card"] == lab.examine(module, data).tables["Robustness card"]
    alone = Robustness().reduce(replace(connected, tables={}), rows, RobustnessParams())
    assert "No gradient-masking checks were run" in alone.notes[0]
    assert "Robustness card" not in alone.tables


def test_another_table_is_no_card(lab: Lab) -> None:
    data = lab.samples_of(lab.sound())
    model = SubjectModel(label="own model", digest="own", module=lab.sound())
    subject = Subject(data=data, models=(model,), tables={"sanity": Table(("model",), ())})
    with pytest.raises(StageFailed, match="given another table"):
        Robustness().reduce(subject, {"clean/0": data.y}, RobustnessParams())


def test_where_nothing_is_right_nothing_was_attacked_and_nothing_passes(lab: Lab) -> None:
    data = lab.samples_of(lab.sound())
    found = lab.examine(lab.sound(), replace(data, y=(data.y + 1) % 3))
    said = {row[0]: (row[3], row[4]) for row in found.tables["Checks"].rows}
    asked = [check.id for check in every_check() if check.gradient or check.votes]
    assert {"S2", "S4", "S5", "S7", "S8", "S9", "S10", "S16", "S17", "S27"} <= set(asked)
    assert {said[name] for name in asked} == {("not applicable", "nothing is right, so nothing was attacked")}
    assert said["S1"][0] == "pass"
    assert "not examined" in found.notes[0]
