"""The models of parameters are made when a component is used: listing many plugins does not pay for them."""

import pytest

from advorch.api import Kind, Objective, Params, Stage
from advorch.errors import PluginError


class Stranger:
    """Nothing that a file can hold."""


class Unusable(Params):
    """Parameters that can never be read."""

    stranger: Stranger | None = None


class Usable(Params):
    """A parameter."""

    steps: int = 3


def stage(params: type[Params]) -> Stage[Params]:
    return Stage(name="walk", summary="Walks", params=params, load=lambda: pytest.fail("never run"), stage=Kind.TRAIN)


def test_an_impossible_parameter_is_the_plugins_fault_in_one_line() -> None:
    with pytest.raises(PluginError) as caught:
        stage(Unusable).schema()
    assert caught.value.exit_code == 3
    assert "parameters of 'walk'" in caught.value.message
    assert "Stranger" in caught.value.message
    assert "\n" not in caught.value.message
    assert "--no-plugin" in caught.value.hint


def test_a_schema_is_whole_when_it_is_handed_out_and_made_once() -> None:
    component = stage(Usable)
    schema = component.schema()
    assert schema.__pydantic_complete__
    assert component.schema() is schema
    assert schema.parse({"steps": 4}).plain()["steps"] == 4


def test_a_parameter_that_the_host_has_too_is_the_plugins_fault() -> None:
    """Else one value would silently mean two things: `steps` of a loss, and of the epoch."""
    loss = Objective(name="walk", summary="Walks", params=Usable, load=lambda: pytest.fail("never run"))
    with pytest.raises(PluginError, match="'walk' has a parameter that its host has too: steps"):
        loss.schema()
