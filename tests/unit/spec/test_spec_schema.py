"""The JSON Schema agrees with the checks: what loads is valid, what is malformed in shape is not."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import Field

from advorch.components import Kind
from advorch.errors import Problem
from advorch.params import AttackRef, Location, ModelRef, Params
from advorch.settings import AttackSettings, TrainingSettings
from advorch.spec.compose import compose, source_of
from advorch.spec.nodes import ListNode, MapNode, Node
from advorch.spec.schema import pipeline_schema
from advorch.spec.shape import SECTIONS

HERE = Path(__file__).parent


class Pgd(AttackSettings):
    steps: int = 10
    alpha: float | None = None
    restarts: Annotated[int, Field(ge=1)] = 1
    loss: Literal["ce", "dlr"] = "ce"
    schedule: tuple[float, ...] = ()


class Trades(TrainingSettings):
    attack: AttackRef
    beta: Annotated[float, Field(alias="lambda", gt=0)] = 6.0


class Mnist(Params):
    root: Location = "~/data"


class Nothing(Params):
    pass


class Erm(TrainingSettings):
    model: ModelRef | None = None


COMPONENTS: dict[str, dict[str, Any]] = {
    "train/erm": Erm.model_json_schema(),
    "defend/trades": Trades.model_json_schema(),
    "attack/pgd": Pgd.model_json_schema(),
    "evaluate/robustness": Nothing.model_json_schema(),
    "dataset/mnist": Mnist.model_json_schema(),
}
SCHEMA = pipeline_schema(COMPONENTS)


def plain(node: Node) -> Any:
    if isinstance(node, MapNode):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    return [plain(item) for item in node.items] if isinstance(node, ListNode) else node.value


def errors(text: str) -> list[str]:
    problems: list[Problem] = []
    root = compose(text, source_of("f.yaml", text), problems)
    assert root is not None
    assert problems == []
    return [error.json_path for error in Draft202012Validator(SCHEMA).iter_errors(plain(root))]


def stage(body: str) -> list[str]:
    return errors(f"version: 1\nstages:\n  s: {body}\n")


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator.check_schema(pipeline_schema({}))


def test_every_reference_leads_somewhere() -> None:
    def references(schema: Any) -> list[str]:
        if isinstance(schema, dict):
            own = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
            return own + [ref for value in schema.values() for ref in references(value)]
        return [ref for item in schema for ref in references(item)] if isinstance(schema, list) else []

    found = set(references(SCHEMA))
    assert len(found) > 10
    assert {ref.removeprefix("#/$defs/") for ref in found} <= set(SCHEMA["$defs"])


def test_the_example_is_valid() -> None:
    assert errors((HERE / "fixtures" / "design.yaml").read_text()) == []


def test_each_key_of_the_format_is_in_the_schema() -> None:
    for name, section in SECTIONS.items():
        schema = SCHEMA if name == "pipeline" else SCHEMA["$defs"][name]
        assert set(schema.get("properties", {})) == set(section.fields)


@pytest.mark.parametrize(
    "body",
    [
        "{uses: attack/pgd, with: {epsilon: 0.3}}",
        "{uses: attack/pgd, with: {epsilon: 8/255, alpha: 2/255}}",
        '{uses: attack/pgd, with: {epsilon: "${params.epsilon}", steps: "${params.n}", loss: "${matrix.loss}"}}',
        '{uses: attack/pgd, with: {epsilon: 0.3, schedule: [1/2, 0.5, "${params.x}"], norm: l2, alpha: null}}',
        '{uses: attack/pgd, with: {epsilon: 0.3, schedule: "${params.schedule}"}}',
        '{uses: "attack/${matrix.name}", with: {anything: 1}}',
        "{uses: train/erm}",
        "{uses: train/erm, with: ~, timeout: null, x-note: {a: 1}}",
        '{uses: train/erm, timeout: "${params.t}", resources: {memory: 4GiB, cpus: 1/2}, retry: {on: oom}}',
        "{uses: defend/trades, with: {attack: {uses: pgd, with: {epsilon: 1}}, lambda: 6/1, model: {uses: cnn}}}",
        "{uses: train/erm, in: {data: a.b, x-y: 3, many: [a.b, 'c[*].d']}, needs: a, matrix: {seed: [0, 1]}}",
    ],
)
def test_valid_stages(body: str) -> None:
    assert stage(body) == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("{uses: attack/pgd}", "$.stages.s"),
        ("{uses: attack/pgd, with: {}}", "$.stages.s.with"),
        ("{uses: attack/pgd, with: {epsilon: big}}", "$.stages.s.with.epsilon"),
        ("{uses: attack/pgd, with: {epsilon: -1}}", "$.stages.s.with.epsilon"),
        ("{uses: attack/pgd, with: {epsilon: 1, epsilom: 1}}", "$.stages.s.with"),
        ("{uses: attack/pgd, with: {epsilon: 1, steps: 1/2}}", "$.stages.s.with.steps"),
        ("{uses: attack/pgd, with: {epsilon: 1, loss: hinge}}", "$.stages.s.with.loss"),
        ("{uses: attack/pgd, with: {epsilon: 1, norm: l3}}", "$.stages.s.with.norm"),
        ("{uses: attack/pdg, with: {epsilon: 1}}", "$.stages.s.uses"),
        ("{uses: train/erm, timeout: 30}", "$.stages.s.timeout"),
        ("{uses: train/erm, resourcs: {}}", "$.stages.s"),
        ("{uses: train/erm, in: {data: mnist}}", "$.stages.s.in.data"),
        ("{uses: train/erm, retry: {on: [oom, disk]}}", "$.stages.s.retry.on"),
        ("{uses: train/erm, seed: 0.5}", "$.stages.s.seed"),
        ("{with: {epochs: 1}}", "$.stages.s"),
        ("{uses: defend/trades, with: {attack: pgd}}", "$.stages.s.with.attack"),
    ],
)
def test_malformed_stages(body: str, path: str) -> None:
    assert path in stage(body)


def test_datasets_are_checked_by_their_own_schema() -> None:
    stages = "stages: {s: {uses: train/erm}}\n"
    assert (
        errors(f"version: 1\ndata: {{m: {{uses: mnist, with: {{root: x}}, splits: {{a: 'train[:5]'}}}}}}\n{stages}")
        == []
    )
    wrong = errors(f"version: 1\ndata: {{m: {{uses: mnist, with: {{rot: x}}, splits: {{a: 'train[:5%]'}}}}}}\n{stages}")
    assert wrong == ["$.data.m.splits.a", "$.data.m.with"]


SHAPE_FAULTS = [
    "bad-reference", "bad-retry-class", "bad-split", "bad-stage-name", "bad-unit", "newer-version", "no-stages",
    "no-uses", "no-version", "text-version", "unknown-kind", "unknown-nested-key", "unknown-root-key",
    "unknown-stage-key", "wrong-types", "yaml-1.1-habits", "address-and-dashboard", "empty-stages", "many-problems",
    "objective-without-goal", "when-without-expression",
]  # fmt: skip


@pytest.mark.parametrize("name", SHAPE_FAULTS)
def test_the_malformed_corpus_is_malformed_for_editors_too(name: str) -> None:
    assert errors((HERE / "malformed" / f"{name}.yaml").read_text()) != []


def test_without_components_any_of_a_known_kind_may_be_used() -> None:
    validator = Draft202012Validator(pipeline_schema({}))
    assert validator.is_valid({"version": 1, "stages": {"s": {"uses": "attack/mine", "with": {"x": 1}}}})
    assert not validator.is_valid({"version": 1, "stages": {"s": {"uses": "mine"}}})
    assert {kind.value for kind in Kind} == {"train", "attack", "defend", "generate", "evaluate"}
