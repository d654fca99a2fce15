import pytest

from advorch.kit.evaluation.findings import Findings, Table, metrics_by_label, slug, unique_slugs


@pytest.mark.parametrize(
    ("text", "name"),
    [("erm mlp", "erm_mlp"), ("PGD linf, eps 0.1", "pgd_linf_eps_0_1"), ("8/255", "x_8_255"), ("é!", "x")],
)
def test_slugs_are_names(text: str, name: str) -> None:
    assert slug(text) == name


def test_equal_slugs_are_numbered() -> None:
    assert unique_slugs(["a b", "a-b", "a_b", "c"]) == ["a_b", "a_b_2", "a_b_3", "c"]
    assert unique_slugs(["a 2", "a", "a"]) == ["a_2", "a", "a_3"]


def test_a_ragged_table_is_refused() -> None:
    with pytest.raises(ValueError, match="row of 1"):
        Table(("a", "b"), ((1, 2), (1,)))


def test_figures_are_drawn_when_they_are_needed() -> None:
    findings = Findings(figures={"bytes": b"1", "thunk": lambda: b"2"})
    assert findings.pictures() == {"bytes": b"1", "thunk": b"2"}


def test_metrics_of_one_are_plain_and_of_several_under_their_labels() -> None:
    assert metrics_by_label(["erm mlp"], [{"accuracy": 0.5}]) == {"accuracy": 0.5}
    two = metrics_by_label(["erm mlp", "erm mlp"], [{"accuracy": 0.5}, {"accuracy": 0.25}])
    assert two == {"erm_mlp.accuracy": 0.5, "erm_mlp_2.accuracy": 0.25}
