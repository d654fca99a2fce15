"""Evaluations of fitted perturbations, on nets whose answers are known by heart."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.components import Evaluation
from advorch.errors import StageFailed
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings, Table
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.kit.perturbation.fitted import Fitted, Kind
from advorch.testing.fakes import stripes
from advorch_builtins.evaluations.catalog_fitted import DRIVE_BY, FOOLING, POSES, STATIONS
from advorch_builtins.evaluations.fitted_pairs import Pair
from advorch_builtins.evaluations.stations_report import Drive

CLASSES = ("dark", "grey", "light")


class Brightness(nn.Module):
    """Says `dark`, `grey` or `light`, by the mean of what is in the middle."""

    def forward(self, x: Tensor) -> Tensor:
        mean = x[:, :, 2:6, 2:6].mean((1, 2, 3))
        return -((mean[:, None] - torch.tensor([0.1, 0.5, 0.9])) ** 2) * 100


def subject(*fitted: Fitted, levels: tuple[float, ...] = (0.1, 0.12, 0.5, 0.9), nets: int = 1) -> Subject:
    """Even grey images; those near 0.1 are dark."""
    x = torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 3, 8, 8).contiguous()
    y = torch.tensor([min(range(3), key=lambda label: abs((0.1, 0.5, 0.9)[label] - level)) for level in levels])
    data = Data(x=x, y=y, ids=torch.arange(len(levels)) * 3 + 5, classes=CLASSES, box=(0.0, 1.0))
    models = tuple(SubjectModel(label=f"net {n}", digest=f"{n}" * 64, module=Brightness().eval()) for n in range(nets))
    return Subject(data=data, models=models, perturbations=fitted, seed=11)


def found(component: Evaluation[Any], subject: Subject, **params: Any) -> Findings:
    evaluation, settings = component.load(), component.params.parse(params)
    rows = evaluation.map(subject, subject.data, settings)
    return evaluation.reduce(subject, rows, settings)


def even(shift: float, model: str = "0" * 64) -> Fitted:
    """A universal perturbation that brightens by so much everywhere."""
    fitted = stripes((3, 8, 8), 0.1)
    printed = replace(fitted.print, pattern=torch.full((3, 8, 8), shift), how={"norm": "linf", "epsilon": abs(shift)})
    return replace(fitted, print=printed, model=model, signature=replace(fitted.signature, classes=CLASSES))


def painted(kind: Kind, value: float, *, target: int = 2, source: int | None = 0) -> Fitted:
    """What is printed is even, and covers the middle."""
    fitted = stripes((3, 8, 8), 0.1, kind=kind)
    mask = torch.zeros(1, 8, 8)
    mask[:, 1:7, 1:7] = 1
    how = {**fitted.print.how, "label": 0} if kind is Kind.TEXTURE else fitted.print.how
    printed = replace(
        fitted.print,
        pattern=torch.full((3, 8, 8), value),
        mask=None if kind is Kind.TEXTURE else mask,
        original=torch.full((3, 8, 8), 0.05) if kind is Kind.TEXTURE else None,
        how=how,
    )
    signature = replace(fitted.signature, classes=CLASSES)
    return replace(fitted, print=printed, signature=signature, target=target, source=source, model="0" * 64)


def column(table: Table, name: str) -> list[Any]:
    return list(table.column(name))


def test_a_fooling_rate_is_the_share_whose_label_changes() -> None:
    """By 0.4: dark becomes grey, grey light, and light stays at the end of the box. Signs at random change no mean."""
    report = found(FOOLING, subject(even(0.4)))
    assert report.metrics["fooling_rate"] == 0.75
    assert report.metrics["control_rate"] == 0.0
    assert report.metrics["dominant_share"] == pytest.approx(2 / 3)
    dominant = report.tables["Dominant labels: universal linf eps 0.4 for stand-in"]
    assert dominant.rows == (("grey", 2, pytest.approx(2 / 3)), ("light", 1, pytest.approx(1 / 3)))
    full = report.tables["Rates in full"]
    assert column(full, "accuracy") == [0.25]
    assert column(full, "clean accuracy") == [1.0]
    assert column(full, "fitted against it") == [True]


def test_the_matrix_has_a_row_a_perturbation_and_a_column_a_net() -> None:
    report = found(FOOLING, subject(even(0.4), even(0.4, "1" * 64), even(0.0), nets=2))
    matrix = report.tables["Fooling rates"]
    assert matrix.columns == ("fitted", "net 0", "net 1")
    assert [row[1:] for row in matrix.rows] == [(0.75, 0.75), (0.75, 0.75), (0.0, 0.0)]
    assert [row[0] for row in matrix.rows][:2] == [f"universal linf eps 0.4 for stand-in ({n})" for n in (1, 2)]
    assert any("no more than noise" in note for note in report.notes)
    assert len(report.metrics) > 6
    assert all(picture.startswith(b"\x89PNG") for picture in report.pictures().values())


def test_with_a_target_only_who_was_elsewhere_counts() -> None:
    fitted = replace(even(0.4), target=1)
    report = found(FOOLING, subject(fitted))
    assert report.metrics["target_rate"] == pytest.approx(2 / 3)  # both dark ones, of the three that are not grey


def test_a_sticker_is_judged_on_its_source_alone() -> None:
    report = found(FOOLING, subject(painted(Kind.STICKER, 0.95)))
    assert report.metrics["target_rate"] == 1.0
    assert column(report.tables["Rates in full"], "samples") == [2]


STILL = {
    "yaw": 5, "pitch": 5, "roll": 5, "scale": [0.95, 1.0], "shift": 0, "brightness": 0.02, "contrast": [1, 1],
    "gamma": [1, 1], "shade": 0.0,
}  # fmt: skip


@pytest.mark.parametrize("kind", [Kind.STICKER, Kind.TEXTURE])
def test_poses_count_true_target_and_other_beside_the_control(kind: Kind) -> None:
    scene = STILL | ({"shape": "ball"} if kind is Kind.TEXTURE else {})
    hit = found(POSES, subject(painted(kind, 0.95)), scene=scene, draws=4)
    blank = {"blank_share": 0.0} if kind is Kind.STICKER else {}  # the middle of the range hides a dark object
    wanted = {"true_share": 0.0, "target_share": 1.0, "other_share": 0.0, "control_share": 1.0} | blank
    assert hit.metrics == wanted
    other = found(POSES, subject(painted(kind, 0.5)), scene=scene, draws=4)
    assert other.metrics["other_share"] == 1.0
    table = other.tables["Unseen poses"]
    assert column(table, "poses")[-1] == (16 if kind is Kind.TEXTURE else 8)  # four samples, or the two of the source
    assert set(column(table, "surface")) >= {"control", "perturbed"}
    assert all(picture.startswith(b"\x89PNG") for picture in other.pictures().values())


def test_poses_are_the_same_for_both_surfaces_and_others_for_every_draw() -> None:
    """An invisible perturbation gives the control's views to the bit."""
    from advorch_builtins.evaluations.poses import look

    world = subject(even(0.0))
    params = POSES.params()
    first, second = (look(world, world.perturbations[0], world.data, params, number) for number in (0, 1))
    assert torch.equal(first["control"], first["perturbed"])
    assert not torch.equal(first["control"], second["control"])


def test_an_object_that_is_not_recognised_says_so() -> None:
    """The original is grey, and its label says light."""
    fitted = painted(Kind.TEXTURE, 0.95)
    printed = replace(fitted.print, original=torch.full((3, 8, 8), 0.5))
    report = found(POSES, subject(replace(fitted, print=printed)), scene=STILL | {"shape": "ball"})
    assert any("even without the perturbation" in note for note in report.notes)


def test_the_stations_are_the_papers() -> None:
    """5 feet at 0, 15, 30, 45, 60 degrees; 10 at 0, 15, 30; 15 and 20 at 0 and 15; 25, 30 and 40 straight ahead."""
    angles: dict[float, list[float]] = {}
    for distance, degrees in DRIVE_BY:
        angles.setdefault(distance, []).append(degrees)
    assert angles == {5: [0, 15, 30, 45, 60], 10: [0, 15, 30], 15: [0, 15], 20: [0, 15], 25: [0], 30: [0], 40: [0]}


def test_a_drive_by_has_a_row_a_station_with_two_classes_and_their_confidence() -> None:
    report = found(STATIONS, subject(painted(Kind.STICKER, 0.95)), stations=[[5, 0], [5, 30], [40, 0]])
    (table,) = report.tables.values()
    assert table.columns[:6] == (
        "distance (ft)",
        "angle",
        "top class",
        "confidence",
        "second class",
        "second confidence",
    )
    assert [row[:2] for row in table.rows] == [(5, 0), (5, 30), (40, 0)]
    assert set(column(table, "top class")) == {"light"}
    assert column(table, "success") == [True] * 3
    assert set(column(table, "control")) == {"dark"}
    assert all(
        first + second <= 1 + 1e-6
        for first, second in zip(column(table, "confidence"), column(table, "second confidence"), strict=True)
    )
    assert report.metrics == {"success": 1.0, "photo_success": 1.0, "fooled": 1.0, "control_share": 1.0}
    assert all(picture.startswith(b"\x89PNG") for picture in report.pictures().values())


def test_a_drive_by_that_fails_is_no_success() -> None:
    report = found(STATIONS, subject(painted(Kind.STICKER, 0.5)), stations=[[5, 0], [10, 15]])
    assert report.metrics["success"] == 0.0
    assert report.metrics["fooled"] == 1.0  # grey, which is neither


def test_further_away_there_are_fewer_pixels() -> None:
    """Stripes of one pixel blur with distance; from nearby they stay."""
    from advorch_builtins.evaluations.stations import drive

    world = subject(painted(Kind.STICKER, 0.95))
    x = (torch.arange(8) % 2).float().expand(1, 3, 8, 8).contiguous()
    data = replace(world.data.take(slice(1)), x=x)
    params = STATIONS.params.parse({"stations": [[5, 0], [40, 0]], "focal": 64, "fill": 1.0})
    near, far = drive(world, world.perturbations[0], data, params)["control"]
    assert float((near - x).abs().max()) < 0.02
    assert float((far - 0.5).abs().max()) < 0.4


def test_nothing_to_evaluate_is_a_users_error() -> None:
    with pytest.raises(StageFailed, match="no perturbation"):
        found(FOOLING, subject())
    with pytest.raises(StageFailed, match="texture"):
        found(FOOLING, subject(painted(Kind.TEXTURE, 0.5)))
    with pytest.raises(StageFailed, match="shape"):
        found(FOOLING, subject(stripes((1, 4, 4), 0.1)))


def test_a_source_that_no_sample_has_is_told_and_not_measured() -> None:
    nobody = subject(painted(Kind.STICKER, 0.95), levels=(0.5, 0.9))
    for component in (POSES, STATIONS):
        report = found(component, nobody)
        assert report.metrics == {}
        assert any("no sample" in note for note in report.notes)


def test_of_no_samples_there_is_no_fooling_rate() -> None:
    """All are what a target wants already."""
    aimed = replace(even(0.5), settings={**even(0.5).settings}, target=2)
    assert not found(FOOLING, subject(aimed, levels=(0.9, 0.9))).metrics


def test_without_a_target_success_is_a_wrong_class_and_not_merely_another() -> None:
    """The camera alone makes the object grey; with the perturbation it is dark again, which is what it is."""
    pair = Pair(fitted=even(0.1), name="even", model=subject().models[0], key="0.0")
    grey, dark = torch.tensor([0.1, 0.8, 0.1]), torch.tensor([0.8, 0.1, 0.1])
    said = {"control": grey.expand(2, 1, 3), "perturbed": dark.expand(2, 1, 3)}
    assert not Drive(pair=pair, y=torch.zeros(2, dtype=torch.int64), said=said).goal().any()
    assert Drive(pair=pair, y=torch.ones(2, dtype=torch.int64), said=said).goal().all()
    assert Drive(pair=pair, y=torch.arange(2), said=said).goal().all(), "of two classes: another than before"
