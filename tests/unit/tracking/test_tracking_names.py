"""Names and values as MLflow takes them, checked against MLflow's own rules."""

import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advorch.tracking.files import log_file, safe_file_name
from advorch.tracking.names import cut, flat, safe_name

names = st.text(st.sampled_from(string.ascii_letters + string.digits + "_-. :/[]=,{}é\n"), min_size=1, max_size=300)


@pytest.mark.filterwarnings("ignore:.*type hint")
@settings(deadline=None)  # the first call imports MLflow
@given(names)
def test_mlflow_takes_every_name(name: str) -> None:
    from mlflow.utils.validation import _validate_metric_name, _validate_param_name, _validate_tag_name

    for validate in (_validate_metric_name, _validate_param_name, _validate_tag_name):
        validate(safe_name(name))


@given(st.sets(names.filter(lambda name: not set("[]=,") & set(name)), min_size=2, max_size=2))
def test_different_names_stay_different(pair: set[str]) -> None:
    assert len({safe_name(name) for name in pair}) == 2


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("robust_accuracy", "robust_accuracy"),
        ("attack[name=pgd]", "attack.name:pgd"),
        ("attack[model=plain,name=pgd]/robust_accuracy", "attack.model:plain name:pgd/robust_accuracy"),
    ],
)
def test_addresses_stay_readable(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_parameters_are_flat_and_lists_stay_whole() -> None:
    params = {
        "lr": 0.1,
        "attack": {"uses": "pgd", "with": {"steps": 10}},
        "milestones": [0.5, 0.75],
        "off": None,
        "e": {},
    }
    assert flat(params) == {
        "lr": "0.1",
        "attack.uses": "pgd",
        "attack.with.steps": "10",
        "milestones": "[0.5, 0.75]",
        "off": "null",
        "e": "{}",
    }


def test_long_values_say_that_they_were_cut() -> None:
    assert flat({"x": "y" * 6001})["x"] == "y" * 5997 + "..."
    assert cut("abc", 3) == "abc"


@given(st.sets(names.filter(lambda name: not set("[]") & set(name)), min_size=2, max_size=2))
def test_file_names_are_safe_and_no_two_cells_share_one(pair: set[str]) -> None:
    found = {safe_file_name(name) for name in pair}
    assert len(found) == 2
    for name in found:
        assert not set("/\n[] ") & set(name)
        assert not name.startswith(".")
        assert len(name.encode()) < 200


def test_log_files_by_cell() -> None:
    assert log_file(Path("r"), "attack[name=pgd]") == Path("r/logs/attack.name=pgd.log")
    assert safe_file_name("robust/3").startswith("robust_3-")
