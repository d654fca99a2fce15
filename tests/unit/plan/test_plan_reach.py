"""The unit trap: epsilon in one unit, the length of a step in another."""

import pytest

DATA = "version: 1\ndata: {toy: {uses: toy}, points: {uses: points}}\nstages:\n"
TRAIN = "  plain: {uses: train/erm, in: {data: toy.train}, with: {model: {uses: mlp}}}\n"


def hit(params: str, uses: str = "pgd") -> str:
    return (
        f"{DATA}{TRAIN}  hit: {{uses: attack/{uses}, in: {{model: plain.model, data: toy.test}}, with: {{{params}}}}}\n"
    )


def test_steps_that_cannot_cross_the_ball_are_a_warning(world):
    """The lecture's own numbers, on pixels of 0 to 255, here divided by 255."""
    (warning,) = world.plan(hit("epsilon: 8/255, steps: 40, alpha: 0.02/255")).warnings
    assert warning.code == "W302"
    assert "40 steps of alpha 7.84314e-05 move at most 0.00313725 of epsilon 0.0313725" in warning.message
    assert warning.place.text[warning.place.column - 1 :].startswith("0.02/255")


@pytest.mark.parametrize(
    "params", ["epsilon: 0.1, steps: 10, alpha: 0.01", "epsilon: 0.1, steps: 3, alpha: 0.04", "epsilon: 0.1"]
)
def test_steps_that_can_are_none(world, params):
    assert not world.plan(hit(params)).warnings


def test_the_attack_inside_a_defence_is_looked_at_too(world):
    inner = "attack: {uses: pgd, with: {epsilon: 0.1, steps: 2, alpha: 0.01}}"
    text = f"{DATA}  safe: {{uses: defend/trades, in: {{data: toy.train}}, with: {{model: {{uses: mlp}}, {inner}}}}}\n"
    assert [problem.code for problem in world.plan(text).warnings] == ["W302"]
