"""Settling: inputs bound, conditions and deferred parameters evaluated, failures and skips handed on."""

import pytest

from advorch.errors import InvalidPipeline
from advorch.plan.build import build_plan
from advorch.plan.cells import BoundArtifact, Settled, Skipped
from advorch.spec.load import load_pipeline

DATA = "version: 1\nparams: {floor: 0.5}\ndata: {toy: {uses: toy}}\nstages:\n"
TRAIN = "  plain: {uses: train/erm, in: {data: toy.train}, with: {model: {uses: mlp}}}\n"
HITS = (
    "  hit:\n    uses: attack/${matrix.name}\n    matrix: {name: [fgsm, pgd, noise]}\n"
    "    in: {model: plain.model, data: toy.test}\n    with: {epsilon: 0.1}\n"
)
REPORT = "  report: {uses: evaluate/report, in: {models: plain.model, attacks: 'hit[*].adversarial'}}\n"
GUARDED = "  wrapped: {uses: defend/wrap, in: {model: plain.model}, when: '${plain.accuracy >= params.floor}'}\n"
BEHIND = "  after: {uses: attack/pgd, in: {model: wrapped.model, data: toy.test}, with: {epsilon: 0.1}}\n"
DEFERRED = (
    "  hit: {uses: attack/pgd, in: {model: plain.model, data: toy.test}, with: {epsilon: '${plain.accuracy / 2}'}}\n"
)


def test_inputs_are_bound_to_what_their_producers_made(world):
    ran = world.run(world.plan(DATA + TRAIN + HITS + REPORT))
    report = ran.outcomes["report"]
    assert isinstance(report, Settled)
    assert [bound.cell for bound in report.inputs["attacks"]] == ["hit[name=fgsm]", "hit[name=pgd]", "hit[name=noise]"]
    (model,) = report.inputs["models"]
    assert isinstance(model, BoundArtifact)
    assert model.artifact == ran.done["plain"].outputs["model"]
    assert report.missing == ()


def test_a_glob_takes_what_succeeded_and_names_what_is_missing(world):
    plan = world.plan(DATA + TRAIN + HITS + REPORT)
    report = world.run(plan, fail=["hit[name=pgd]"]).outcomes["report"]
    assert isinstance(report, Settled)
    assert [bound.cell for bound in report.inputs["attacks"]] == ["hit[name=fgsm]", "hit[name=noise]"]
    assert report.missing == ("hit[name=pgd]",)


def test_the_missing_change_the_key_by_being_missing_alone(world):
    plan = world.plan(DATA + TRAIN + HITS + REPORT)
    without = world.plan(DATA + TRAIN + HITS.replace("[fgsm, pgd, noise]", "[fgsm, noise]") + REPORT)
    key = world.run(plan, fail=["hit[name=pgd]"]).keys()["report"]
    assert key == world.run(without).keys()["report"] != world.run(plan).keys()["report"]


def test_a_glob_of_nothing_is_a_failure(world):
    plan = world.plan(DATA + TRAIN + HITS + REPORT)
    report = world.run(plan, fail=[cell for cell in plan.cells if cell.startswith("hit")]).outcomes["report"]
    assert isinstance(report, Skipped)
    assert report.failed
    assert "'attacks'" in report.reason


def test_a_failure_is_handed_down_and_named(world):
    outcomes = world.run(world.plan(DATA + TRAIN + HITS + REPORT), fail=["plain"]).outcomes
    assert {name for name, item in outcomes.items() if isinstance(item, Skipped)} == set(outcomes) - {"plain"}
    assert outcomes["hit[name=pgd]"].failed
    assert outcomes["hit[name=pgd]"].reason == "'plain' has no result"


@pytest.mark.parametrize(("accuracy", "goes"), [(0.5, True), (0.49, False)])
def test_a_condition_on_a_metric(world, accuracy, goes):
    outcomes = world.run(world.plan(DATA + TRAIN + GUARDED + BEHIND), metrics={"accuracy": accuracy}).outcomes
    assert isinstance(outcomes["wrapped"], Settled) is goes
    if not goes:
        assert outcomes["wrapped"].reason == "`when` is false"
        assert not outcomes["wrapped"].failed
        assert isinstance(outcomes["after"], Skipped)
        assert not outcomes["after"].failed
        assert outcomes["after"].reason == "'wrapped' was skipped"


def test_a_plan_that_is_walked_again_forgets_what_was_skipped_before(world):
    plan = world.plan(DATA + TRAIN + GUARDED + BEHIND)
    assert not world.run(plan, metrics={"accuracy": 0.1}).outcomes["after"].failed
    assert world.run(plan, fail=["wrapped"], metrics={"accuracy": 0.9}).outcomes["after"].failed


def test_a_skip_through_a_glob_is_only_missing(world):
    hits = HITS.replace("    with:", "    when: ${matrix.name != 'pgd'}\n    with:")
    outcomes = world.run(world.plan(DATA + TRAIN + hits + REPORT)).outcomes
    assert isinstance(outcomes["hit[name=pgd]"], Skipped)
    assert outcomes["report"].missing == ("hit[name=pgd]",)


@pytest.mark.parametrize(
    "when", ["false", "'${false}'", "'${1 > 2}'", "'${params.floor > 1}'", "\"${matrix.name == 'x'}\""]
)
def test_a_condition_that_is_known_beforehand(world, when):
    text = DATA + f"  s: {{uses: evaluate/step, matrix: {{name: [y]}}, when: {when}}}\n"
    assert isinstance(world.run(world.plan(text)).outcomes["s[name=y]"], Skipped)


def test_a_deferred_parameter_is_filled_in_and_in_the_key(world):
    plan = world.plan(DATA + TRAIN + DEFERRED)
    cell = plan.cells["hit"]
    assert cell.deferred == {"epsilon"}
    assert "epsilon" not in cell.params
    assert cell.params["steps"] == 10
    one = world.run(plan, metrics={"accuracy": 0.5}).outcomes["hit"]
    assert one.params["epsilon"] == 0.25
    assert world.run(plan, metrics={"accuracy": 0.4}).outcomes["hit"].key != one.key
    written = world.run(world.plan(DATA + TRAIN + DEFERRED.replace("${plain.accuracy / 2}", "${0.5 / 2}")))
    assert written.outcomes["hit"].key == one.key


def test_a_deferred_parameter_makes_an_edge(world):
    text = DATA + TRAIN + "  gan: {uses: generate/gan, in: {data: toy.train}, with: {steps: '${plain.epochs}'}}\n"
    assert world.plan(text).cells["gan"].after == {"plain"}


@pytest.mark.parametrize(
    ("accuracy", "code", "words"),
    [(-1.0, "E310", "at least 0"), (20.0, "E315", "larger than the whole range")],
)
def test_a_deferred_parameter_that_turns_out_wrong(world, accuracy, code, words):
    plan = world.plan(DATA + TRAIN + DEFERRED)
    with pytest.raises(InvalidPipeline) as caught:
        world.run(plan, metrics={"accuracy": accuracy})
    (problem,) = caught.value.problems
    assert problem.code == code
    assert words in problem.message
    assert "hit:" in problem.place.text


def test_a_metric_that_was_not_reported(world):
    with pytest.raises(InvalidPipeline) as caught:
        world.run(world.plan(DATA + TRAIN + DEFERRED), metrics={"loss": 1.0})
    (problem,) = caught.value.problems
    assert "plain.accuracy" in problem.message
    assert "plain.loss" in problem.hint


def test_a_deferred_model_of_limited_access_is_still_found_out(world):
    text = DATA + (
        "  first: {uses: train/erm, in: {data: toy.train}, with: {model: {uses: mlp}}}\n"
        "  robust:\n    uses: defend/trades\n    in: {data: toy.train}\n    with:\n"
        "      model: {uses: remote, with: {access: \"${'scores' if first.accuracy > 0.5 else 'gradients'}\"}}\n"
        "      attack: {uses: pgd, with: {epsilon: 0.1}}\n"
    )
    plan = world.plan(text)
    assert isinstance(world.run(plan, metrics={"accuracy": 0.4}).outcomes["robust"], Settled)
    with pytest.raises(InvalidPipeline, match="1 problem"):
        world.run(plan, metrics={"accuracy": 0.6})


def test_an_output_that_is_not_there_is_a_failure(world, make_manifest):
    from dataclasses import replace

    plan = world.plan(DATA + TRAIN + HITS)
    manifest = replace(make_manifest(plan.settle("plain", {})), outputs={})
    hit = plan.settle("hit[name=pgd]", {"plain": manifest})
    assert isinstance(hit, Skipped)
    assert hit.failed
    assert hit.reason == "'plain' has no output 'model'"


def test_seeds_come_from_the_root_the_component_and_the_stages_seed_alone(world):
    from advorch.seeds import cell_seed

    text = "version: 1\nseed: 5\nstages:\n  a: {uses: evaluate/step}\n  b: {uses: evaluate/step, seed: 3}\n"
    outcomes = world.run(world.plan(text)).outcomes
    assert outcomes["a"].seed == cell_seed(5, "evaluate/step")
    assert outcomes["b"].seed == cell_seed(5, "evaluate/step", 3)


def test_a_plan_without_data_can_be_looked_at_and_not_settled(world, tmp_path):
    text = f"version: 1\ndata: {{d: {{uses: digits, with: {{root: {tmp_path}/none}}}}}}\nstages:\n"
    text += "  m: {uses: train/erm, in: {data: d.train}, with: {model: {uses: mlp}}}\n"
    spec = load_pipeline(tmp_path / "p.yaml", text=text)
    plan = build_plan(spec, world.registry, digests=None)
    assert list(plan.cells) == ["m"]
    with pytest.raises(ValueError, match="without reading data"):
        plan.settle("m", {})


def test_two_plans_of_one_file_are_equal_in_every_key_and_in_order(world):
    text = DATA + TRAIN + HITS + REPORT
    first, second = world.plan(text), world.plan(text)
    assert list(first.cells) == list(second.cells)
    assert world.run(first).keys() == world.run(second).keys()


def test_what_is_logged(world):
    text = DATA + TRAIN + GUARDED
    assert world.plan(text).logged_models() == ("wrapped",)
    named = text.replace("stages:", "tracking: {mlflow: {models: [plain]}}\nstages:")
    assert world.plan(named).logged_models() == ("plain",)
    assert world.plan(text).params == {"floor": 0.5}
