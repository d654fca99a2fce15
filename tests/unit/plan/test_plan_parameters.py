"""What pydantic says, said so that a user understands it; nested components completed."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, field_validator, model_validator

from advorch.api import AnyComponent, AttackRef, Count, Dataset, Location, Norm, Params, Positive
from advorch.params import SecretMark
from advorch.plan.complaints import dotted
from advorch.plan.parameters import ParameterCheck
from advorch.spec.suggest import hint


class Inner(Params):
    depth: Count = 1
    folder: Location = "in"
    key: Annotated[str, SecretMark()] = "K"


class Odd(Params):
    many: int | tuple[int, ...] = 1
    pair: tuple[float, float] | None = None
    word: Literal["a", "b"] = "a"
    norm: Norm = Norm.L2
    share: Annotated[float, Field(gt=0, lt=1, description="of the whole")] = 0.5
    even: int = 2
    inner: Inner = Inner()
    inners: tuple[Inner, ...] = ()
    attacks: tuple[AttackRef, ...] = ()
    named: Annotated[dict[str, AttackRef], Field(default_factory=dict)]
    folder: Location | None = None
    folders: tuple[Location, ...] = ()
    lambda_: Annotated[Positive, Field(alias="lambda")] = 1.0

    @field_validator("even")
    @classmethod
    def _is_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value

    @model_validator(mode="after")
    def _agree(self) -> "Odd":
        if self.word == "b" and self.norm is Norm.L1:
            raise ValueError("b does not go with l1")
        return self


def _nothing() -> None:
    return None


ODD: AnyComponent = Dataset(name="odd", summary="", params=Odd, load=_nothing)


@pytest.fixture
def check(world):
    checks = ParameterCheck(world.registry, hint)

    def run(values, left_open=()):
        said = []

        def report(code, complaint):
            said.append((dotted(complaint.path), complaint.message, complaint.hint))

        if left_open:
            return checks.check_settled(ODD, values, frozenset(left_open), report), said
        return checks.check(ODD, values, report), said

    return run


SENTENCES = {
    "union": ({"many": "x"}, ("many", "'many' of dataset/odd takes a whole number or a list, not the text 'x'")),
    "inside a union": ({"many": [1, "x"]},
        ("many[1]", "'many[1]' of dataset/odd takes a whole number, not the text 'x'")),
    "null": ({"even": None}, ("even", "'even' of dataset/odd takes a whole number, not null")),
    "map": ({"even": {}}, ("even", "'even' of dataset/odd takes a whole number, not a map")),
    "bool": ({"even": True}, ("even", "'even' of dataset/odd takes a whole number, not true")),
    "upper bound": ({"share": 1}, ("share", "'share' of dataset/odd must be less than 1, not 1")),
    "too long": ({"pair": [1, 2, 3]}, ("pair", "'pair' of dataset/odd takes at most 2 values, not 3")),
    "too short": ({"pair": [1]}, ("pair", "'pair' of dataset/odd lacks its value number 2")),
    "own validator": ({"even": 3}, ("even", "'even' of dataset/odd: must be even")),
    "model validator": ({"word": "b", "norm": "l1"}, ("", "'with' of dataset/odd: b does not go with l1")),
    "nested unknown": ({"inner": {"dept": 2}}, ("inner.dept", "dataset/odd has no parameter 'inner.dept'")),
    "nested bound": ({"inners": [{}, {"depth": 0}]},
        ("inners[1].depth", "'inners[1].depth' of dataset/odd must be at least 1, not 0")),
    "text for a map": ({"inner": "x"}, ("inner", "'inner' of dataset/odd takes a map, not the text 'x'")),
    "infinity": ({"share": float("inf")}, ("share", "'share' of dataset/odd takes a finite number, not inf")),
    "bad rational": ({"share": "1/0"}, ("share", "'share' of dataset/odd takes a number, not the text '1/0'")),
    "alias": ({"lambda": 0}, ("lambda", "'lambda' of dataset/odd must be greater than 0, not 0")),
    "nested attack": ({"named": {"x": {"uses": "pgd", "with": {"epsilon": "a"}}}},
                      ("named.x.with.epsilon", "'epsilon' of attack/pgd takes a number, not the text 'a'")),
}  # fmt: skip


@pytest.mark.parametrize("name", SENTENCES)
def test_one_clear_sentence_at_the_place(check, name):
    values, (path, sentence) = SENTENCES[name]
    checked, said = check(values)
    assert checked is None
    assert [(found[0], found[1]) for found in said][:1] == [(path, sentence)]
    assert len(said) == 1


def test_hints_help(check):
    assert check({"word": "c"})[1][0][2] == "allowed: a, b"
    assert check({"norm": "linff"})[1][0][2].startswith("did you mean 'linf'?")
    assert check({"shar": 1})[1][0][2].startswith("did you mean 'share'?")
    assert check({"lambd": 1})[1][0][2].startswith("did you mean 'lambda'?")
    assert check({"share": "x"})[1][0][2] == "of the whole"


def test_several_mistakes_are_all_told(check):
    assert len(check({"even": 3, "word": "c", "nonsense": 1})[1]) == 3


def test_nested_components_become_complete(check):
    checked, said = check({"attacks": [{"uses": "fgsm", "with": {"epsilon": "1/4"}}]})
    assert not said
    assert checked.plain["attacks"] == [{"uses": "fgsm", "with": {"epsilon": 0.25, "norm": "linf", "targeted": False}}]
    assert [item.component.id for _, item in checked.everything()] == ["dataset/odd", "attack/fgsm"]
    assert [dotted(path) for path, _ in checked.everything()] == ["", "attacks[0].with"]


def test_locations_and_secrets_are_not_hashed_however_deep(check):
    checked, _ = check({"folder": "a", "folders": ["b", "c"], "inner": {"folder": "d"}, "inners": [{"key": "L"}]})
    assert [place.location for place in checked.locations] == ["d", "in", "a", "b", "c"]
    assert "folder" not in checked.hashed
    assert "folders" not in checked.hashed
    assert checked.hashed["inner"] == {"depth": 1}
    assert checked.hashed["inners"] == [{"depth": 1}]
    assert checked.plain["inners"] == [{"depth": 1, "folder": "in", "key": "L"}]


def test_what_is_left_open_is_not_missed_and_the_rest_is_checked(check):
    checked, said = check({"word": "b", "attacks": [{"uses": "fgsm", "with": {"epsilon": 1}}]}, left_open=["norm"])
    assert not said
    assert "norm" not in checked.plain
    assert check({"even": "x"}, left_open=["norm"])[1][0][0] == "even"
    assert check({"attacks": [{"uses": "fgms"}]}, left_open=["norm"])[1][0][0] == "attacks[0].uses"
    assert check({"shar": 1}, left_open=["lambda"])[1][0][2].startswith("did you mean 'share'?")


def test_a_complete_form_is_a_fixed_point(check):
    checked, _ = check({"attacks": [{"uses": "pgd", "with": {"epsilon": 1}}], "pair": [1, "1/2"], "lambda": 3})
    again, said = check(checked.plain)
    assert not said
    assert again.plain == checked.plain
    assert again.hashed == checked.hashed
