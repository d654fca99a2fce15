"""Sweeps in a plan: what is inside is checked at its corners, keys have what decides, and mistakes have their place."""

import pytest

from advorch.plan.preview import preview

SWEEP = """
version: 1
data: {toy: {uses: toy}, other: {uses: toy, with: {}}}
params: {epsilon: 0.1, unread: 1}
stages:
  plain: {uses: train/erm, in: {data: toy.train}, with: {model: {uses: mlp}}}
  best:
    tune:
      space: {width: {int: [1, 9]}, smoothing: {uniform: [0, 0.2]}}
      objective: {metric: probe.robust_accuracy, goal: maximize}
      search: {algorithm: random, trials: 3}
    stages:
      train:
        uses: train/erm
        in: {data: toy.train, model: plain.model}
        with:
          model: {uses: mlp, with: {width: "${trial.width}"}}
          smoothing: ${trial.smoothing}
      probe:
        uses: attack/pgd
        in: {model: train.model, data: toy.train}
        with: {epsilon: "${params.epsilon}"}
    out: {model: train.model}
  hit: {uses: attack/pgd, in: {model: best.model, data: toy.test}, with: {epsilon: 0.1}}
"""


def test_a_sweep_is_a_cell_with_the_outputs_of_its_winner(world):
    plan = world.plan(SWEEP)
    assert list(plan.cells) == ["plain", "best", "hit"]
    cell = plan.cells["best"]
    assert cell.component.id == "core/sweep"
    assert set(cell.component.outputs()) == {"model", "trials"}
    assert cell.after == {"plain"}
    assert set(cell.inputs) == {"train.data", "train.model", "probe.data"}
    assert plan.cells["hit"].after == {"best"}
    assert set(plan.nested("best")) >= {"train/erm", "attack/pgd", "model/mlp"}


def test_a_trial_is_a_plan_whose_cells_read_what_stands_outside(world):
    ran = world.run(world.plan(SWEEP))
    search = ran.outcomes["best"].search
    trial = search.planner.plan({"width": 5, "smoothing": 0.125})
    assert list(trial.cells) == ["train", "probe"]
    done = dict(ran.done)
    settled = trial.settle("train", done)
    assert settled.params["model"]["with"]["width"] == 5
    assert settled.params["smoothing"] == 0.125
    assert settled.inputs["model"][0].artifact == ran.done["plain"].outputs["model"]
    again = search.planner.plan({"width": 5, "smoothing": 0.125}).settle("train", done)
    assert again.key == settled.key
    assert again.seed == settled.seed
    refit = search.planner.plan({"width": 5, "smoothing": 0.125}, refit=1).settle("train", done)
    assert refit.seed != settled.seed
    assert search.planner.plan({"width": 6, "smoothing": 0.125}).settle("train", done).seed == settled.seed


CHANGES = {
    "space": ("int: [1, 9]", "int: [1, 8]"),
    "objective": ("goal: maximize", "goal: minimize"),
    "algorithm": ("algorithm: random", "algorithm: tpe"),
    "expression": ("${trial.smoothing}", "${trial.smoothing * 2}"),
    "parameter that an expression reads": ("epsilon: 0.1, unread", "epsilon: 0.2, unread"),
    "fixed parameter": ("width: \"${trial.width}\"}}", "width: \"${trial.width}\"}}\n          epochs: 3"),
    "inner component": ("uses: attack/pgd\n", "uses: attack/fgsm\n"),
    "resources": ("      train:\n", "      train:\n        resources: {cpus: 2}\n"),
    "seed": ("version: 1", "version: 1\nseed: 5"),
    "wiring": ("in: {model: train.model, data: toy.train}", "in: {model: plain.model, data: toy.train}"),
    "parameter of a constraint": (
        "search: {", "constraints: [\"probe.robust_accuracy >= params.unread\"]\n      search: {",
    ),
    "outer input": ("plain: {uses: train/erm, in: {data: toy.train}", "plain: {uses: train/erm, in: {data: toy.test}"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_decides_the_trials_is_in_the_key_of_the_search(world, change):
    before, after = CHANGES[change]
    assert before in SWEEP
    assert key(world, SWEEP) != key(world, SWEEP.replace(before, after, 1))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("unread: 1", "unread: 2"),
        ("trials: 3", "trials: 3, concurrency: 2"),
        ("  best:\n", "  best:\n    timeout: 3h\n"),
        ("  hit:", "  blow:"),
    ],
)
def test_what_decides_nothing_is_not_in_it(world, before, after):
    assert before in SWEEP
    assert key(world, SWEEP) == key(world, SWEEP.replace(before, after, 1))
    assert result(world, SWEEP) == result(world, SWEEP.replace(before, after, 1))


def test_a_longer_search_is_the_same_search_with_another_result(world):
    longer = SWEEP.replace("trials: 3", "trials: 30")
    refit = SWEEP.replace("trials: 3}", "trials: 3}\n      promote: {refit: {seeds: 2}}")
    assert key(world, SWEEP) == key(world, longer) == key(world, refit)
    assert len({result(world, SWEEP), result(world, longer), result(world, refit)}) == 3


def key(world, text):
    return world.settled(text, "best").search.key


def result(world, text):
    return world.settled(text, "best").key


MISTAKES = {
    "objective": ("metric: probe.robust_accuracy", "metric: probe.robustness", "E319", 10, "no metric 'robustness'"),
    "refused at a corner": ("int: [1, 9]", "int: [0, 9]", "E310", 17, "width"),
    "unknown name": ("${trial.smoothing}", "${trial.smoothness}", "E022", 18, "trial.smoothness"),
    "output": ("out: {model: train.model}", "out: {model: train.modle}", "E305", 23, "no output 'modle'"),
    "taken output": ("out: {model: train.model}", "out: {trials: train.model}", "E305", 23, "'trials'"),
    "unread": ("${trial.smoothing}", "0.1", "W303", 9, "trial.smoothing"),
    "constraint": ("search: {", "constraints: [\"train.acuracy > 1\"]\n      search: {", "E319", 11, "train.acuracy"),
    "two objectives": (
        "{metric: probe.robust_accuracy, goal: maximize}",
        "[{metric: probe.robust_accuracy, goal: maximize}, {metric: train.accuracy, goal: maximize}]",
        "E319", 8, "none decides by itself",
    ),
    "scheduler looks at a stage without steps": (
        "search: {", "scheduler: {type: asha, time: epoch}\n      search: {", "E319", 11, "no 'epoch' is reported",
    ),
    "refit of a stage that is not there": (
        "trials: 3}", "trials: 3}\n      promote: {refit: {with: {trian.epochs: 3}}}", "E304", 12, "trian.epochs",
    ),
    "inner name": ("      probe:", "      hit:", "E016", 19, "names a stage and an inner stage"),
    "reads itself": ("model: plain.model}", "model: best.model}", "E309", 7, "wait for each other"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_have_one_line_at_their_place(world, mistake):
    before, after, code, line, words = MISTAKES[mistake]
    assert before in SWEEP
    text = SWEEP.replace(before, after, 1)
    if mistake == "inner name":
        text = text.replace("metric: probe.", "metric: hit.")
    problems = list(world.plan(text).warnings) if code.startswith("W") else world.problems(text)
    found = [problem for problem in problems if words in problem.message]
    assert found, [problem.render() for problem in problems]
    assert found[0].place.line == line, found[0].render()
    assert found[0].code == code


def test_a_sweep_that_selects_on_the_final_split_is_warned_of(world):
    assert [problem.code for problem in world.plan(SWEEP).warnings] == []
    leaking = SWEEP.replace("in: {model: train.model, data: toy.train}", "in: {model: train.model, data: toy.test}")
    warnings = world.plan(leaking).warnings
    assert [problem.code for problem in warnings] == ["W301"]
    assert "'best' selects its winner on the samples that 'hit' measures it on" in warnings[0].message


def test_what_a_sweep_hands_on_is_known_to_attacks_behind_it(world):
    remote = SWEEP.replace('{uses: mlp, with: {width: "${trial.width}"}}', "{uses: remote, with: {access: labels}}")
    remote = remote.replace("in: {model: train.model, data: toy.train}", "in: {model: plain.model, data: toy.train}")
    problems = world.problems(remote.replace("in: {data: toy.train, model: plain.model}", "in: {data: toy.train}"))
    assert [(problem.code, problem.place.line) for problem in problems] == [("E314", 24)]


def test_a_preview_says_how_much_work_a_sweep_is_at_most(world, store):
    refit = SWEEP.replace("trials: 3}", "trials: 3}\n      promote: {refit: {seeds: 2}}")
    rows = {row.cell: row for row in preview(world.plan(refit), store)}
    assert rows["best"].state.value == "deferred"
    without = SWEEP.replace("in: {data: toy.train, model: plain.model}", "in: {data: toy.train}")
    rows = {row.cell: row for row in preview(world.plan(without), store)}
    assert rows["best"].reason == "3 trials of 2 cells; never computed"
    text = without.replace("trials: 3}", "trials: 3}\n      budget: {gpu_hours: 2}\n      promote: {refit: {seeds: 2}}")
    rows = {row.cell: row for row in preview(world.plan(text), store)}
    assert rows["best"].reason == "3 trials of 2 cells, 2 GPU hours, then 2 refits; never computed"
    assert [cell.address for cell in world.plan(without).inside("best")] == ["train", "probe"]


CONSTRAINED = SWEEP.replace("search: {", 'constraints: ["probe.robust_accuracy >= params.unread"]\n      search: {')
CONDITIONAL = SWEEP.replace("{uniform: [0, 0.2]}", '{uniform: [0, 0.2], when: "${params.unread < 9}"}')
REFITTED = SWEEP.replace("trials: 3}", 'trials: 3}\n      promote: {refit: {seeds: "${params.unread}"}}')


@pytest.mark.parametrize("text", [CONSTRAINED, CONDITIONAL])
def test_what_the_search_itself_reads_is_in_its_key(world, text):
    assert key(world, text) != key(world, text.replace("unread: 1", "unread: 2"))


def test_what_a_refit_reads_is_in_the_key_of_the_result(world):
    other = REFITTED.replace("unread: 1", "unread: 2")
    assert key(world, REFITTED) == key(world, other)
    assert result(world, REFITTED) != result(world, other)


def test_a_seed_that_a_trial_draws_is_in_the_key_as_written(world):
    seeded = SWEEP.replace("      train:\n", "      train:\n        seed: ${trial.width - 1}\n")
    assert key(world, seeded) != key(world, seeded.replace("trial.width - 1", "trial.width * 2 - 2"))


def test_whatever_a_trial_may_read_is_waited_for(world):
    text = SWEEP.replace("{int: [1, 9]}", "{int: [1, 9]}, which: {choice: [plain, late]}")
    text = text.replace("model: plain.model}", 'model: "${trial.which}.model"}')
    late = "  late: {uses: train/erm, seed: 4, in: {data: toy.train}, with: {model: {uses: mlp}}}\n  best:\n"
    text = text.replace("  best:\n", late)
    cell = world.plan(text).cells["best"]
    assert cell.after == {"plain", "late"}
    assert key(world, text) != key(world, text.replace("seed: 4", "seed: 5"))


def test_the_corners_of_a_grid_lie_on_it(world):
    text = SWEEP.replace("{int: [1, 9]}", "{quniform: [1, 6, 2]}")
    assert list(world.plan(text).cells)
