"""Every mistake is told with its place and what to do; a good pipeline with one change each."""

import pytest

GOOD = """\
version: 1
params: {epsilon: 0.1, none: []}
data:
  toy: {uses: toy, splits: {fit: "train[:100]", final: test}}
limits: {licence: 2}
stages:
  plain:
    uses: train/erm
    in: {data: toy.fit}
    with: {model: {uses: mlp, with: {width: 8}}, epochs: 3}
  robust:
    uses: defend/trades
    in: {data: toy.fit}
    with: {model: {uses: mlp}, lambda: 2, attack: {uses: pgd, with: {epsilon: 0.1, steps: 3}}}
  attack:
    uses: attack/${matrix.name}
    matrix: {name: [fgsm, pgd], model: [plain.model, robust.model]}
    in: {model: "${matrix.model}", data: toy.final}
    with: {epsilon: "${params.epsilon}"}
  report:
    uses: evaluate/report
    in: {models: [plain.model, robust.model], attacks: "attack[*].adversarial", data: toy.final}
"""

WITH = "    with: {model: {uses: mlp, with"

# what is replaced, by what -> code, where the caret stands, words of the message, words of the hint
MISTAKES = {
    "component": ("train/erm", "train/emr", "E301", "train/emr", "no train is called 'emr'", "erm"),
    "component in a matrix": ("[fgsm, pgd]", "[fgsm, pdg]", "E301", "attack/${matrix.name}", "'pdg'", "pgd"),
    "dataset": ("uses: toy,", "uses: toi,", "E301", "toi", "no dataset is called 'toi'", "toy"),
    "nested model": ("uses: mlp, with", "uses: mpl, with", "E301", "mpl", "no model is called 'mpl'", "mlp"),
    "nested attack": ("uses: pgd, with", "uses: pdg, with", "E301", "pdg", "no attack is called 'pdg'", "pgd"),
    "nested with its kind": ("uses: pgd, with", "uses: attack/pgd, with", "E301", "attack/pgd", "", "write 'pgd'"),
    "stage inside another": ("uses: pgd, with", "uses: nest, with", "E302", "nest", "whole stage", ""),
    "unknown parameter": ("epochs: 3", "epohcs: 3", "E310", "epohcs", "no parameter 'epohcs'", "'epochs'"),
    "unknown nested parameter": ("width: 8", "widht: 8", "E310", "widht", "model/mlp has no", "'width'"),
    "unknown attack parameter": ("steps: 3", "step: 3", "E310", "step", "attack/pgd has no", "'steps'"),
    "text for a number": ("epochs: 3", "epochs: many", "E310", "many", "takes a whole number, not the text 'many'", ""),
    "half a step": ("steps: 3", "steps: 3.5", "E310", "3.5", "takes a whole number, not 3.5", ""),
    "below a bound": ("steps: 3", "steps: 0", "E310", "0", "must be at least 1, not 0", ""),
    "negative lambda": ("lambda: 2", "lambda: -2", "E310", "-2", "must be greater than 0, not -2", ""),
    "word of a choice": ("epochs: 3", "optimizer: adan", "E310", "adan", "cannot be the text 'adan'", "'adam'"),
    "norm": ("steps: 3", "norm: l3", "E310", "l3", "'norm' of attack/pgd cannot be", "linf, l2, l1"),
    "list for a map": ("model: {uses: mlp, with: {width: 8}}", "model: [mlp]", "E310", "[", "takes a map", ""),
    "missing parameter": (
        "lambda: 2, attack: {uses: pgd, with: {epsilon: 0.1, steps: 3}}",
        "lambda: 2",
        "E310",
        "{",
        "defend/trades needs the parameter 'attack'",
        "",
    ),
    "missing epsilon": (
        "epsilon: 0.1, steps",
        "steps",
        "E310",
        "with",
        "attack/pgd needs the parameter 'epsilon'",
        "size of the ball",
    ),
    "unknown port": (
        f"in: {{data: toy.fit}}\n{WITH}",
        f"in: {{daat: toy.fit, data: toy.fit}}\n{WITH}",
        "E305",
        "daat",
        "no input port 'daat'",
        "'data'",
    ),
    "missing port": (
        'in: {model: "${matrix.model}", data: toy.final}',
        'in: {model: "${matrix.model}"}',
        "E306",
        "attack",
        "does not connect the port 'data'",
        "toy.SPLIT",
    ),
    "unknown stage": (
        "[plain.model, robust.model], attacks",
        "[plian.model, robust.model], attacks",
        "E304",
        "plian.model",
        "neither a stage nor data called 'plian'",
        "'plain'",
    ),
    "unknown output": (
        "[plain.model, robust.model], attacks",
        "[plain.modle, robust.model], attacks",
        "E305",
        "plain.modle",
        "has no output 'modle'",
        "'model'",
    ),
    "unknown split": (
        f"data: toy.fit}}\n{WITH}",
        f"data: toy.fti}}\n{WITH}",
        "E304",
        "toy.fti",
        "no split 'fti'",
        "'fit'",
    ),
    "split of a dataset": ('"train[:100]"', '"trian[:100]"', "E304", '"trian[:100]"', "no split 'trian'", "'train'"),
    "type": (
        "[plain.model, robust.model], attacks",
        "[plain.model, toy.final], attacks",
        "E308",
        "toy.final",
        "port 'models' of evaluate/report takes a model, but toy.final is a dataset",
        "",
    ),
    "list for one": (
        'model: "${matrix.model}", data: toy.final}\n    with',
        'model: "${matrix.model}", data: [toy.fit, toy.final]}\n    with',
        "E307",
        "data",
        "takes one dataset, not a list",
        "matrix",
    ),
    "glob for one": (
        f"in: {{data: toy.fit}}\n{WITH}",
        f'in: {{data: toy.fit, validation: "attack[*].adversarial"}}\n{WITH}',
        "E307",
        '"attack[*].adversarial"',
        "stands for several",
        "matrix",
    ),
    "cells without a selector": (
        "attack[*].adversarial",
        "attack.adversarial",
        "E304",
        '"attack.adversarial"',
        "'attack' stands for 4 cells",
        "attack[*].adversarial",
    ),
    "unknown axis in a reference": (
        "attack[*]",
        "attack[nmae=pgd,*]",
        "E304",
        '"attack[nmae=pgd,*].adversarial"',
        "'nmae' is no axis",
        "'name'",
    ),
    "unknown value in a reference": (
        "attack[*]",
        "attack[name=pdg,*]",
        "E304",
        '"attack[name=pdg,*].adversarial"',
        "has no 'pdg'",
        "'pgd'",
    ),
    "open axis": (
        "attack[*]",
        "attack[name=pgd]",
        "E304",
        '"attack[name=pgd].adversarial"',
        "leaves the axis model open",
        "*",
    ),
    "cells of data": (
        "data: toy.final}\n    with",
        'data: "toy[a=b].final"}\n    with',
        "E304",
        '"toy[a=b].final"',
        "'toy' has no cells",
        "data.split",
    ),
    "unknown matrix axis": (
        '"${matrix.model}"',
        '"${matrix.modle}"',
        "E022",
        "matrix.modle",
        "unknown name 'matrix.modle'",
        "matrix.model",
    ),
    "unknown param": (
        '"${params.epsilon}"',
        '"${params.epsilom}"',
        "E022",
        "params.epsilom",
        "params.epsilom",
        "params.epsilon",
    ),
    "axis of an unknown param": ("[fgsm, pgd]", '"${params.nones}"', "E022", "params.nones", "params.nones", "none"),
    "empty axis": ("[fgsm, pgd]", '"${params.none}"', "E303", '"${params.none}"', "the axis 'name' is empty", ""),
    "axis that is no list": ("[fgsm, pgd]", '"${params.epsilon}"', "E303", '"${params.epsilon}"', "takes a list", ""),
    "value twice": ("[fgsm, pgd]", "[fgsm, pgd, fgsm]", "E303", "fgsm", "twice", ""),
    "exclude an unknown axis": (
        "[plain.model, robust.model]}\n    in",
        "[plain.model, robust.model], exclude: [{nmae: pgd}]}\n    in",
        "E303",
        "nmae",
        "no axis",
        "'name'",
    ),
    "exclude an unknown value": (
        "[plain.model, robust.model]}\n    in",
        "[plain.model, robust.model], exclude: [{name: pdg}]}\n    in",
        "E303",
        "pdg",
        "to exclude",
        "'pgd'",
    ),
    "exclude everything": (
        "[plain.model, robust.model]}\n    in",
        "[plain.model, robust.model], exclude: [{name: [fgsm, pgd]}]}\n    in",
        "E303",
        "{",
        "is empty",
        "",
    ),
    "own output": (
        f"in: {{data: toy.fit}}\n{WITH}",
        f"in: {{data: toy.fit, model: plain.model}}\n{WITH}",
        "E309",
        "plain.model",
        "reads its own output",
        "",
    ),
    "needs itself": (WITH, f"    needs: plain\n{WITH}", "E309", "plain", "needs itself", ""),
    "needs nobody": (WITH, f"    needs: robustt\n{WITH}", "E304", "robustt", "no stage called 'robustt'", "'robust'"),
    "unknown metric": (
        "epochs: 3",
        "epochs: '${robust.acuracy}'",
        "E311",
        "robust.acuracy",
        "no metric 'acuracy'",
        "'accuracy'",
    ),
    "metric of a matrix": (
        "epochs: 3",
        "epochs: '${attack.robust_accuracy}'",
        "E311",
        "attack.robust_accuracy",
        "metric for each of its cells: attack[name=fgsm,model=plain]",
        "one stage",
    ),
    "own metric": ("epochs: 3", "epochs: '${plain.loss}'", "E309", "plain.loss", "own metric", ""),
    "when no truth": (
        WITH,
        f"    when: ${{params.epsilon + 1}}\n{WITH}",
        "E312",
        "params.epsilon + 1",
        "true or false",
        "compare",
    ),
    "undeclared limit": (
        WITH,
        f"    limits: {{license: 1}}\n{WITH}",
        "E312",
        "1",
        "declares no limit 'license'",
        "'licence'",
    ),
    "beyond a limit": (
        WITH,
        f"    limits: {{licence: 3}}\n{WITH}",
        "E312",
        "3",
        "takes 3 of 'licence', and there are 2",
        "",
    ),
    "seed of text": (
        WITH,
        f"    seed: ${{params.epsilon}}\n{WITH}",
        "E312",
        "${params.epsilon}",
        "takes a whole number",
        "",
    ),
    "model to log": (
        "params:",
        "tracking: {mlflow: {models: [report]}}\nparams:",
        "E308",
        "report",
        "has no model to log",
        "",
    ),
    "stage to log": (
        "params:",
        "tracking: {mlflow: {models: [robustt]}}\nparams:",
        "E304",
        "robustt",
        "no stage called",
        "'robust'",
    ),
}


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def test_the_pipeline_without_mistakes_is_valid(world):
    assert len(world.plan(GOOD).cells) == 7


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_has_a_place_and_a_hint(world, name):
    old, new, code, caret, message, hint = MISTAKES[name]
    problem = world.problem(changed(old, new))
    assert problem.code == code
    assert message in problem.message
    assert hint in problem.hint
    place = problem.place
    assert place is not None
    start = place.column - place.first
    assert place.text[start : start + len(caret)] == caret, problem.render()


def test_all_mistakes_come_in_one_pass_in_the_order_of_the_file(world):
    text = GOOD.replace("epochs: 3", "epohcs: 3").replace("steps: 3", "steps: x").replace("attack[*]", "atack[*]")
    problems = world.problems(text)
    assert [problem.code for problem in problems] == ["E310", "E310", "E304"]
    lines = [problem.place.line for problem in problems]
    assert lines == sorted(lines)


def test_one_mistake_is_told_once_however_many_cells_meet_it(world):
    problem = world.problem(changed('"${params.epsilon}"', "-1"))
    assert problem.code == "E310"


def test_nobody_is_blamed_for_the_stage_that_he_reads(world):
    problems = world.problems(changed("uses: defend/trades", "uses: defend/traeds"))
    assert [problem.code for problem in problems] == ["E301"]


def test_nobody_is_blamed_for_the_data_that_he_reads(world):
    problems = world.problems(changed("uses: toy,", "uses: digits,"))
    assert [(problem.code, problem.message) for problem in problems] == [
        ("E310", "dataset/digits needs the parameter 'root'")
    ]


def test_a_deferred_stage_is_checked_as_far_as_it_is_known(world):
    text = changed("lambda: 2", "lambda: '${plain.accuracy}'")
    assert world.plan(text).cells["robust"].deferred == frozenset({"lambda"})
    problem = world.problem(text.replace("steps: 3", "stepss: 3"))
    assert (problem.code, problem.place.text[problem.place.column - 1 :][:6]) == ("E310", "stepss")


def test_a_plugin_may_refuse_a_plan(world, monkeypatch):
    from advorch.errors import Problem

    seen = []
    refusal = Problem(code="X1", message="not on a Friday")

    def check_plan(plan):
        seen.append(list(plan.cells))
        return [refusal]

    monkeypatch.setattr(world.registry, "check_plan", check_plan)
    assert world.problems(GOOD) == [refusal]
    assert len(seen[0]) == 7


def test_a_warning_of_a_plugin_stays_one(world, monkeypatch):
    from advorch.errors import Problem

    warning = Problem(code="X1", message="think twice", warning=True)
    monkeypatch.setattr(world.registry, "check_plan", lambda plan: [warning])
    assert world.plan(GOOD).warnings == (warning,)
