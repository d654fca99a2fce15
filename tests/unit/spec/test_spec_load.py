"""A whole file becomes a typed specification."""

from pathlib import Path

import pytest

from advorch.errors import InvalidPipeline
from advorch.spec.load import load_pipeline
from advorch.spec.nodes import ListNode, Scalar
from advorch.spec.pipeline import PipelineSpec, ResourceSpec, RetrySpec

DESIGN = Path(__file__).parent / "fixtures" / "design.yaml"


@pytest.fixture(scope="module")
def design() -> PipelineSpec:
    return load_pipeline(DESIGN)


def load(text: str, **options: object) -> PipelineSpec:
    return load_pipeline(Path("p.yaml"), text=text, environ={}, **options)  # type: ignore[arg-type]


def codes(text: str) -> list[str]:
    with pytest.raises(InvalidPipeline) as caught:
        load(text)
    return [item.code for item in caught.value.problems]


def texts(scalars: tuple[Scalar, ...]) -> list[str]:
    return [scalar.text for scalar in scalars]


def test_the_head_of_the_example(design: PipelineSpec) -> None:
    assert (design.name, design.seed, design.profile) == ("mnist-robustness", 20261120, "")
    assert {name: node.value for name, node in design.params.items() if isinstance(node, Scalar)} == {
        "epsilon": 0.3, "clean_floor": 0.95, "epochs": 12,
    }  # fmt: skip
    assert design.limits == {"downloads": 2}
    assert design.tracking.experiment == "mnist-robustness"
    assert design.tracking.models is not None
    assert texts(design.tracking.models) == ["robust"]
    assert list(design.stages) == ["plain", "robust", "attack", "report"]


def test_the_data_of_the_example(design: PipelineSpec) -> None:
    mnist = design.data["mnist"]
    assert mnist.uses.value == "mnist"
    assert mnist.with_ is not None
    assert {name: split.value for name, split in mnist.splits.items()} == {
        "fit": "train[:55000]", "select": "train[55000:]", "final": "test",
    }  # fmt: skip
    assert mnist.mark.place().text == "  mnist:"


def test_the_stages_of_the_example(design: PipelineSpec) -> None:
    plain, attack, report = design.stages["plain"], design.stages["attack"], design.stages["report"]
    assert plain.uses is not None
    assert plain.uses.value == "train/erm"
    assert {port: texts(items) for port, items in plain.inputs.items()} == {
        "data": ["mnist.fit"], "validation": ["mnist.select"],
    }  # fmt: skip
    assert plain.many == frozenset()
    assert plain.timeout == 4 * 3600
    assert plain.retry == RetrySpec(max=2, on=("node_lost", "preempted"))
    assert attack.on_failure == "continue"
    assert attack.matrix is not None
    assert list(attack.matrix.axes) == ["name", "model"]
    assert isinstance(attack.matrix.axes["name"], ListNode)
    assert texts(report.inputs["models"]) == ["plain.model", "robust.model"]
    assert report.many == frozenset({"models"})


def test_the_sweep_of_the_example(design: PipelineSpec) -> None:
    robust = design.stages["robust"]
    assert robust.uses is None
    assert robust.timeout is None
    assert list(robust.stages) == ["train", "probe"]
    assert robust.stages["train"].resources == ResourceSpec(cpus=1, gpus=1, workers=2)
    assert robust.stages["train"].timeout == 4 * 3600
    assert {port: scalar.text for port, scalar in robust.out.items()} == {"model": "train.model"}
    assert robust.tune is not None
    assert list(robust.tune.space) == ["epsilon", "ratio", "lambda"]
    assert len(robust.tune.objectives) == 1
    assert texts(robust.tune.constraints) == ["train.clean_accuracy >= params.clean_floor"]
    assert robust.tune.scheduler is not None
    assert robust.tune.budget is None


def test_the_profiles_of_the_example() -> None:
    cluster = load_pipeline(DESIGN, profile="cluster")
    assert (cluster.address, cluster.dashboard, cluster.storage) == (
        "head:6379", "http://head:8265", "s3://bucket/advorch",
    )  # fmt: skip
    assert cluster.limits == {"downloads": 2, "gpus": 32}
    quick = load_pipeline(DESIGN, profile="quick").params["epochs"]
    assert isinstance(quick, Scalar)
    assert (quick.value, quick.mark.line) == (2, 15)


def test_defaults_lie_under_each_stage() -> None:
    spec = load(
        "version: 1\ndefaults: {resources: {cpus: 2, gpus: 1}, timeout: 1h, retry: {max: 3, on: oom, delay: 5s}, "
        "on_failure: continue}\nstages:\n  a: {uses: train/erm}\n"
        "  b: {uses: train/erm, resources: {gpus: 0}, timeout: 90s, retry: {max: 0}, on_failure: stop}\n"
        "  c: {uses: train/erm, timeout: null, resources: ~}\n"
    )
    assert spec.stages["a"].resources == ResourceSpec(cpus=2, gpus=1)
    assert spec.stages["a"].retry == RetrySpec(max=3, on=("oom",), delay=5.0)
    assert (spec.stages["a"].timeout, spec.stages["a"].on_failure) == (3600, "continue")
    assert spec.stages["b"].resources == ResourceSpec(cpus=2, gpus=0)
    assert spec.stages["b"].retry == RetrySpec(max=0, on=("oom",), delay=5.0)
    assert (spec.stages["b"].timeout, spec.stages["b"].on_failure) == (90, "stop")
    assert spec.stages["c"].timeout is None


def test_settings_may_be_computed_from_params() -> None:
    spec = load(
        'version: 1\nname: run-${params.n}\nparams: {n: 2, memory: 1GiB}\nlimits: {gpus: "${params.n * 4}"}\n'
        'stages:\n  a: {uses: train/erm, resources: {workers: "${params.n}", memory: "${params.memory}", cpus: 1/2},'
        ' timeout: "${params.n}h"}\n'
    )
    assert (spec.name, spec.limits["gpus"]) == ("run-2", 8)
    assert spec.stages["a"].resources == ResourceSpec(cpus=0.5, memory=2**30, workers=2)
    assert spec.stages["a"].timeout == 7200
    assert codes(
        'version: 1\nparams: {n: 2.5}\nstages:\n  a: {uses: train/erm, resources: {workers: "${params.n}"}}\n'
    ) == ["E014"]
    assert codes('version: 1\nstages:\n  a: {uses: train/erm, timeout: "${matrix.t}"}\n') == ["E022"]


def test_the_environment_is_read_where_declared() -> None:
    text = 'version: 1\nenv: [URI]\ntracking: {mlflow: {uri: "${env.URI}"}}\nstages:\n  a: {uses: train/erm}\n'
    assert load_pipeline(Path("p.yaml"), text=text, environ={"URI": "http://x"}).tracking.uri == "http://x"
    with pytest.raises(InvalidPipeline) as caught:
        load_pipeline(Path("p.yaml"), text=text, environ={})
    assert "not set" in caught.value.problems[0].hint


def test_tracking_can_be_switched_off() -> None:
    stages = "stages:\n  a: {uses: train/erm}\n"
    assert load(f"version: 1\n{stages}").tracking.enabled
    assert load(f"version: 1\n{stages}").tracking.models is None
    assert not load(f"version: 1\ntracking: {{mlflow: false}}\n{stages}").tracking.enabled
    assert not load(f"version: 1\ntracking: {{mlflow: {{enabled: false}}}}\n{stages}").tracking.enabled
    assert load(f"version: 1\ntracking: {{mlflow: {{models: []}}}}\n{stages}").tracking.models == ()


def test_private_keys_are_free_everywhere() -> None:
    spec = load(
        "version: 1\nx-base: &base {uses: train/erm, anything: [at all]}\nparams: {x-note: 1, a: 2}\n"
        "data: {x-d: 3, d: {uses: mnist, x-why: because}}\nstages:\n  x-shared: &s {timeout: 1h}\n"
        "  a: {<<: *s, uses: train/erm, x-todo: [1], in: {x-p: 1, data: d.train}, matrix: {x-m: 1, seed: [0, 1]}}\n"
    )
    assert list(spec.stages) == ["a"]
    assert list(spec.params) == ["a"]
    assert list(spec.data) == ["d"]
    assert list(spec.stages["a"].inputs) == ["data"]
    assert spec.stages["a"].matrix is not None
    assert list(spec.stages["a"].matrix.axes) == ["seed"]
    assert spec.stages["a"].timeout == 3600


def test_a_stage_with_everything() -> None:
    spec = load(
        "version: 1\nstages:\n  a: {uses: train/erm}\n  b:\n    uses: attack/${matrix.name}\n"
        '    matrix: {name: [pgd, fgsm], seed: "${params.seeds}", exclude: [{name: fgsm, seed: [1, 2]}]}\n'
        "    when: ${a.clean_accuracy > 0.9}\n    needs: a\n"
        '    in: {model: "${matrix.m}", data: "a[name=x,seed=1].d"}\n'
        "    limits: {licences: \"${1 if matrix.name == 'pgd' else 0}\"}\n    seed: ${matrix.seed}\n"
        "params: {seeds: [0, 1]}\n"
    )
    stage = spec.stages["b"]
    assert stage.when is not None
    assert texts(stage.needs) == ["a"]
    assert isinstance(stage.limits["licences"], Scalar)
    assert stage.seed is not None
    assert stage.matrix is not None
    assert isinstance(stage.matrix.axes["seed"], Scalar)
    assert len(stage.matrix.exclude) == 1


def test_a_plain_stage_may_be_tuned() -> None:
    spec = load(
        "version: 1\nstages:\n  a:\n    uses: train/erm\n    tune:\n      space: {lr: {loguniform: [1e-4, 1e-1]}}\n"
        "      objective: [{metric: clean_accuracy, goal: maximize}, {metric: loss, goal: minimize}]\n"
        "      search: {algorithm: nsga-ii, trials: 4}\n      constraints: loss < 3\n"
    )
    tune = spec.stages["a"].tune
    assert tune is not None
    assert len(tune.objectives) == 2
    assert texts(tune.constraints) == ["loss < 3"]


def test_sweeps_may_hold_sweeps() -> None:
    inner = (
        "tune: {space: {x: {const: 1}}, objective: {metric: i.m, goal: minimize}, search: {trials: 1}}, "
        "stages: {i: {uses: train/erm}}, out: {m: i.model}"
    )
    text = (
        f"version: 1\nstages: {{o: {{tune: {{space: {{y: {{const: 1}}}}, objective: {{metric: s.m, goal: minimize}}, "
        f"budget: {{wall: 1h}}}}, stages: {{s: {{{inner}}}}}, out: {{m: s.m}}}}}}\n"
    )
    assert list(load(text).stages["o"].stages["s"].stages) == ["i"]
    assert codes(text.replace("uses: train/erm", "use: train/erm")) == ["E013", "E012"]


def test_the_tree_remembers_where_each_value_came_from() -> None:
    spec = load_pipeline(DESIGN, overrides=["plain.with.epochs=5"])
    with_ = spec.stages["plain"].with_
    assert with_ is not None
    assert with_.entries["epochs"].node.mark.source.name == "-S plain.with.epochs=5"
    assert with_.entries["model"].node.mark.source.name == str(DESIGN)


def test_a_params_reference_in_params_is_settled_for_the_plan() -> None:
    spec = load('version: 1\nparams: {a: 8/255, b: "${params.a / 2}"}\nstages:\n  s: {uses: train/erm}\n')
    node = spec.params["b"]
    assert isinstance(node, Scalar)
    assert node.value == 8 / 255 / 2
