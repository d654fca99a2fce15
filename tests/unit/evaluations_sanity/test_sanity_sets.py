"""Every check of what the run's own attacks handed in: one set that fails it, and one that does not."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.data import Data
from advorch.threat import Access

Lab = SimpleNamespace


class Line(nn.Module):
    """Class one above a value."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = at

    def forward(self, x: Tensor) -> Tensor:
        height = 10 * (x[:, 0] - self.at)
        return torch.stack([-height, height], 1)


class Staircase(Line):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward((x * 16).round() / 16)


class Noisy(Line):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + 0.01 * torch.randn_like(x))


class Mixing(Line):
    """Every answer depends on the company that it is asked in."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - 0.5 * (x - x[:1]))


def numbers(*values: float, wrong: int | None = None) -> Data:
    """Class zero, all of them, but for one that is labelled wrongly."""
    y = torch.tensor([int(place == wrong) for place in range(len(values))])
    return Data(x=torch.tensor(values)[:, None], y=y, ids=torch.arange(len(values)), classes=("a", "b"), box=(0.0, 1.0))


def moved(data: Data, way: float) -> Tensor:
    return (data.x + way).clamp(0, 1)


NEAR = numbers(0.45, 0.46, 0.47, 0.48)


def test_an_attack_that_went_past_its_successes_is_found(lab: Lab) -> None:
    island = lab.Profile(lambda way: 0.005 - (way - 0.02).abs())
    far = moved(NEAR, 0.09)
    missed = lab.handed_in(island, NEAR, far)
    assert not missed.success.any()
    assert lab.ask("S18", island, NEAR, sets=[missed])[0] == "fail"
    assert lab.ask("S18", Line(0.5), NEAR, sets=[lab.handed_in(Line(0.5), NEAR, far)])[0] == "pass"


def test_successes_that_are_kept_back_are_found(lab: Lab) -> None:
    honest = lab.handed_in(Line(0.5), NEAR, moved(NEAR, 0.09))
    silent = replace(honest, success=torch.zeros_like(honest.success))
    verdict, why = lab.ask("S18", Line(0.5), NEAR, sets=[silent])
    assert verdict == "fail"
    assert "kept back 4" in why


def test_other_classes_than_the_target_are_no_success_to_keep_back(lab: Lab) -> None:
    honest = lab.handed_in(Line(0.5), NEAR, moved(NEAR, 0.09), settings={"targeted": True})
    missed = replace(honest, success=torch.zeros_like(honest.success))
    assert lab.ask("S18", Line(0.5), NEAR, sets=[missed])[0] == "not applicable"


def test_numbers_that_rest_on_transfer_alone_fail(lab: Lab) -> None:
    elsewhere = lab.handed_in(Line(0.5), NEAR, moved(NEAR, 0.09), model="other", label="other")
    own = lab.handed_in(Line(0.9), NEAR, moved(NEAR, 0.09))
    assert lab.ask("S19", Line(0.9), NEAR, sets=[elsewhere])[0] == "fail"
    assert lab.ask("S19", Line(0.9), NEAR, sets=[elsewhere, own])[0] == "pass"
    assert lab.ask("S19", Line(0.9), NEAR, sets=[own])[0] == "not applicable"


def test_what_transfers_and_gradients_miss_fails(lab: Lab) -> None:
    """The stair begins at 0.53125, at the very edge of the ball."""
    data = numbers(0.52, 0.52, 0.52, 0.52)
    ball = {"epsilon": 0.0125, "queries": 1, "restarts": 1}
    sent = lab.handed_in(Line(0.525), data, moved(data, 0.012), model="other", settings={"epsilon": 0.0125})
    found, honest = (lab.ask("S7", module, data, sets=[sent], **ball) for module in (Staircase(0.5), Line(0.526)))
    assert found[0] == "fail", found
    assert "sets of other models 100.0%" in found[1]
    assert honest[0] == "pass", honest


def test_a_set_that_leaves_its_ball_fails(lab: Lab) -> None:
    inside, outside = (lab.handed_in(Line(0.5), NEAR, moved(NEAR, way)) for way in (0.09, 0.101))
    assert lab.ask("S20", Line(0.5), NEAR, sets=[inside])[0] == "pass"
    verdict, why = lab.ask("S20", Line(0.5), NEAR, sets=[outside])
    assert verdict == "fail"
    assert why.startswith("4 of 4 samples lie outside")


def test_a_set_of_another_type_fails(lab: Lab) -> None:
    double = lab.handed_in(Line(0.5), NEAR, moved(NEAR, 0.09).double())
    assert lab.ask("S20", Line(0.5), NEAR, sets=[double])[0] == "fail"


def test_a_verdict_that_changes_with_the_batch_fails(lab: Lab) -> None:
    data = numbers(0.30, 0.45, 0.46, 0.47)
    for module, expected in ((Mixing(0.5), "fail"), (Line(0.5), "pass")):
        samples = lab.handed_in(module, data, moved(data, 0.09))
        verdict, why = lab.ask("S21", module, data, sets=[samples], chunk=4)
        assert verdict == expected, why


def test_adversarials_that_die_as_pictures_fail(lab: Lab) -> None:
    """128.4 of 255 is over 128.3, and 128 is not."""
    module = Line(128.3 / 255)
    hair, clear = (lab.handed_in(module, NEAR, torch.full_like(NEAR.x, level / 255)) for level in (128.4, 129.0))
    verdict, why = lab.ask("S22", module, NEAR, sets=[hair])
    assert (verdict, why) == ("fail", "pgd linf eps 0.1: 4 fool as numbers, 0 of them as pictures")
    assert lab.ask("S22", module, NEAR, sets=[clear])[0] == "pass"


def test_attacks_on_different_samples_have_no_worst_case(lab: Lab) -> None:
    whole = lab.handed_in(Line(0.5), NEAR, moved(NEAR, 0.09))
    few = NEAR.take(slice(2))
    part = lab.handed_in(Line(0.5), few, moved(few, 0.09), settings={"steps": 3})
    assert lab.ask("S24", Line(0.5), NEAR, sets=[whole, part])[0] == "fail"
    weak = lab.handed_in(Line(0.5), NEAR, moved(NEAR, 0.03), settings={"steps": 3})
    verdict, why = lab.ask("S24", Line(0.5), NEAR, sets=[whole, weak])
    assert verdict == "pass"
    assert "worst case over 2 attacks sample by sample 0.0%" in why
    assert lab.ask("S24", Line(0.5), NEAR, sets=[whole])[0] == "not applicable"


def test_attacking_what_is_wrong_already_fails(lab: Lab) -> None:
    data = numbers(0.45, 0.46, 0.47, 0.48, wrong=1)
    attacked = lab.handed_in(Line(0.5), data, moved(data, 0.09))
    left_alone = lab.handed_in(Line(0.5), data, torch.where(data.y[:, None] == 1, data.x, moved(data, 0.09)))
    assert lab.ask("S25", Line(0.5), data, sets=[attacked])[0] == "fail"
    assert lab.ask("S25", Line(0.5), data, sets=[left_alone])[0] == "pass"
    assert lab.ask("S25", Line(0.5), NEAR, sets=[lab.handed_in(Line(0.5), NEAR, NEAR.x)])[0] == "not applicable"


def test_dlr_with_two_classes_fails(lab: Lab) -> None:
    samples = lab.handed_in(Line(0.5), NEAR, moved(NEAR, 0.09), attack="attack/apgd-dlr")
    assert lab.ask("S26", Line(0.5), NEAR, sets=[samples])[0] == "fail"


def test_a_defence_needs_an_attack_of_its_own(lab: Lab) -> None:
    data = numbers(0.40, 0.41, 0.42, 0.43)
    far = moved(data, 0.09)
    plain = lab.handed_in(Staircase(0.5), data, far)
    blind = lab.handed_in(Staircase(0.5), data, far, access=Access.SCORES, attack="attack/square")
    assert lab.ask("S30", Staircase(0.5), data, sets=[plain])[0] == "fail"
    assert lab.ask("S30", Staircase(0.5), data, sets=[plain, blind])[0] == "pass"
    once, often = (
        lab.handed_in(Line(0.5), data, far, settings={"draws": draws, "steps": 5}, attack="attack/eot-pgd")
        for draws in (1, 10)
    )
    for check in ("S12", "S30"):
        assert lab.ask(check, Noisy(0.5), data, sets=[once])[0] == "fail"
        assert lab.ask(check, Noisy(0.5), data, sets=[often])[0] == "pass"


def test_steps_that_cannot_cross_the_ball_fail(lab: Lab) -> None:
    """The lecture's trap: epsilon 8 and 40 steps of 0.02, on pixels of 0 to 255."""
    data = Data(x=torch.full((4, 1), 100.0), y=torch.zeros(4).long(), ids=torch.arange(4), classes=("a", "b"),
                box=(0.0, 255.0))  # fmt: skip
    trap = {"epsilon": 8.0, "steps": 40, "alpha": 0.02}
    short = lab.handed_in(Line(104.0), data, data.x + 0.8, settings=trap)
    right = lab.handed_in(Line(104.0), data, data.x + 8, settings={**trap, "alpha": 2.0})
    raw = lab.handed_in(Line(104.0), data, data.x + 8, settings=trap, attack="attack/proximal")
    verdict, why = lab.ask("S31", Line(104.0), data, sets=[short], epsilon=8.0)
    assert verdict == "fail"
    assert "40 steps of 0.02 move at most 0.8 of epsilon 8" in why
    assert lab.ask("S31", Line(104.0), data, sets=[right], epsilon=8.0)[0] == "pass"
    assert lab.ask("S31", Line(104.0), data, sets=[raw], epsilon=8.0)[0] == "not applicable"


@pytest.mark.parametrize("check", ["S18", "S19", "S20", "S21", "S22"])
def test_sets_of_which_nothing_was_looked_at_are_no_evidence(lab: Lab, check: str) -> None:
    line = Line(0.5)
    stray = lab.handed_in(line, NEAR, NEAR.x, ids=NEAR.ids + 100, model="other" if check == "S19" else "own")
    verdict, why = lab.ask(check, line, NEAR, sets=[stray])
    assert verdict == "not applicable", why
