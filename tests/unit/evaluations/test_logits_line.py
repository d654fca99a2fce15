"""Along a line a linear model has straight logits, and a net of straight pieces has them in pieces."""

from dataclasses import replace
from typing import Any

import torch

from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.catalog_explaining import LOGITS_LINE
from advorch_builtins.evaluations.logits_line import first_wrong, straightness

STEPS = torch.linspace(-2, 2, 41, dtype=torch.float64)


def test_logits_of_a_linear_model_are_straight_lines(pair: Subject, rows: Any) -> None:
    logits = rows(LOGITS_LINE, pair, epsilon=2.0, points=41)["logits/0"].double()
    bends = logits[:, 2:] - 2 * logits[:, 1:-1] + logits[:, :-2]
    assert float(bends.abs().max()) < 1e-5
    assert float(straightness(logits, STEPS).min()) > 1 - 1e-9


def test_the_slope_of_the_margin_is_the_l1_norm_of_the_weights(pair: Subject, rows: Any) -> None:
    logits = rows(LOGITS_LINE, pair, epsilon=2.0, points=41)["logits/0"].double()
    margin = logits.gather(2, pair.data.y[:, None, None].expand(-1, 41, 1))[..., 0] * 2 - logits.sum(2)
    weight = pair.models[0].module.weight.detach().double()
    slope = (margin[:, -1] - margin[:, 0]) / 4
    torch.testing.assert_close(slope, -(weight[1] - weight[0]).abs().sum().expand_as(slope), rtol=1e-5, atol=1e-5)


def test_the_middle_is_the_sample_itself(pair: Subject, rows: Any) -> None:
    logits = rows(LOGITS_LINE, pair, epsilon=2.0, points=41)["logits/0"]
    torch.testing.assert_close(logits[:, 20], pair.models[0].module(pair.data.x).detach())


def test_two_pieces_are_straight_and_a_wave_is_not() -> None:
    line = torch.stack([STEPS.abs(), 3 * STEPS.clamp(min=0)], 1)[None]
    assert float(straightness(line, STEPS)) > 1 - 1e-9
    wave = torch.stack([torch.sin(9 * STEPS), torch.cos(9 * STEPS)], 1)[None]
    assert float(straightness(wave, STEPS)) < 0.5


def test_the_first_wrong_epsilon_is_counted_upwards_from_the_sample() -> None:
    wrong = torch.stack([STEPS > 0.49, STEPS < -0.5, STEPS > -1.0])  # wrong above, wrong below only, wrong at zero
    torch.testing.assert_close(first_wrong(wrong, STEPS), torch.tensor([0.5], dtype=torch.float64))


def test_a_linear_model_is_wrong_on_one_side_from_its_boundary_on(pair: Subject, evaluate: Any) -> None:
    findings = evaluate(LOGITS_LINE, pair, epsilon=2.0, points=41)
    table = findings.tables["Along the line"]
    assert table.column("wrong above zero")[0] > 0.9
    assert table.column("straight") == (1.0,) or table.column("straight")[0] > 1 - 1e-9
    assert findings.metrics.keys() <= LOGITS_LINE.metrics


def test_images_have_a_strip_and_points_have_none(images: Subject, pair: Subject, evaluate: Any) -> None:
    small = {"points": 11, "strip": 4}
    with_strip = evaluate(LOGITS_LINE, replace(images, models=images.models[:1]), **small).pictures()
    without = evaluate(LOGITS_LINE, pair, **small).pictures()
    assert len(with_strip) == len(without) == 1


def test_rows_do_not_depend_on_the_batch(images: Subject, rows: Any) -> None:
    few, many = (rows(LOGITS_LINE, images, size, points=11) for size in (1, 12))
    for name, column in few.items():
        torch.testing.assert_close(column, many[name], rtol=1e-4, atol=1e-4)
