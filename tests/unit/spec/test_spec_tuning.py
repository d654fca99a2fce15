"""A search with its expressions answered."""

from pathlib import Path

import pytest

from advorch.errors import InvalidPipeline
from advorch.spec.expression import Path as Name
from advorch.spec.expression import UnknownName
from advorch.spec.load import load_pipeline
from advorch.spec.pipeline import TuneSpec
from advorch.spec.tuning import Budget, Dimension, Objective, Refit, Scheduler, Search, read_tuning

DESIGN = Path(__file__).parent / "fixtures" / "design.yaml"


def lookup(name: Name) -> object:
    values: dict[Name, object] = {("params", "low"): 2, ("params", "options"): ["l2", "linf"], ("params", "n"): 7}
    if name not in values:
        raise UnknownName(name, ["params.low", "params.options", "params.n"])
    return values[name]


def tune(body: str) -> TuneSpec:
    text = f"version: 1\nstages:\n  a:\n    uses: train/erm\n    tune:\n{body}"
    found = load_pipeline(Path("p.yaml"), text=text).stages["a"].tune
    assert found is not None
    return found


OBJECTIVE = "      objective: {metric: loss, goal: minimize}\n"


def test_the_example() -> None:
    spec = load_pipeline(DESIGN).stages["robust"].tune
    assert spec is not None
    found = read_tuning(spec, lookup)
    assert found.space == (
        Dimension(name="epsilon", kind="uniform", values=(0.2, 0.4)),
        Dimension(name="ratio", kind="loguniform", values=(0.05, 1.0)),
        Dimension(name="lambda", kind="loguniform", values=(0.1, 10)),
    )
    assert found.objectives == (Objective(metric="probe.robust_accuracy", goal="maximize"),)
    assert [item.text for item in found.constraints] == ["train.clean_accuracy >= params.clean_floor"]
    assert found.search == Search(algorithm="tpe", concurrency=4)
    assert found.scheduler == Scheduler(
        type="asha", metric="train.robust_accuracy", goal="maximize", time="epoch", max=12, grace=2, reduction=3
    )
    assert found.budget == Budget(trials=24)
    assert (found.select, found.refit) == ("best", Refit(seeds=3, with_={"train.epochs": 40}))


def test_every_distribution() -> None:
    spec = tune(
        "      space:\n        a: {uniform: [1/255, 8/255]}\n"
        "        b: {quniform: [0, 1, 0.1]}\n        c: {int: [1, 9]}\n"
        "        d: {logint: [1, 99]}\n        e: {normal: [0, 1]}\n        f: {choice: [l2, 1, {x: 2}]}\n"
        "        g: {grid: [1, 2]}\n        h: {const: [1]}\n"
        "        j: {int: [\"${params.low}\", 5], when: \"${trial.f == 'l2'}\"}\n"
        + OBJECTIVE + "      search: {trials: \"${params.n}\", warmup: 2}\n"
        "      budget: {trials: 5, wall: 2h, gpu_hours: 1.5}\n"
    )  # fmt: skip
    found = read_tuning(spec, lookup)
    assert [(item.kind, item.values) for item in found.space] == [
        ("uniform", (1 / 255, 8 / 255)), ("quniform", (0, 1, 0.1)), ("int", (1, 9)), ("logint", (1, 99)),
        ("normal", (0, 1)), ("choice", ("l2", 1, {"x": 2})), ("grid", (1, 2)), ("const", ([1],)), ("int", (2, 5)),
    ]  # fmt: skip
    when = found.space[-1].when
    assert when is not None
    assert when.names == {("trial", "f")}
    assert found.budget == Budget(trials=5, wall=7200, gpu_hours=1.5)
    assert found.search == Search(warmup=2)
    assert found.scheduler is None


@pytest.mark.parametrize(
    ("space", "code", "column"),
    [
        ('{int: ["${params.n}", 5]}', "E040", 19),
        ('{uniform: ["${params.options}", 5]}', "E040", 23),
        ('{uniform: ["${params.gone}", 5]}', "E022", 26),
    ],
)
def test_an_answer_may_make_a_space_impossible(space: str, code: str, column: int) -> None:
    spec = tune(f"      space:\n        a: {space}\n{OBJECTIVE}      budget: {{trials: 1}}\n")
    with pytest.raises(InvalidPipeline) as caught:
        read_tuning(spec, lookup)
    [problem] = caught.value.problems
    assert problem.place
    assert (problem.code, problem.place.line, problem.place.column) == (code, 7, column)


def test_an_answer_may_be_of_the_wrong_type() -> None:
    spec = tune(f'      space: {{a: {{const: 1}}}}\n{OBJECTIVE}      search: {{trials: "${{params.options}}"}}\n')
    with pytest.raises(InvalidPipeline, match="1 problem"):
        read_tuning(spec, lookup)
