"""Every form of a reference, and the addresses of cells."""

import pytest

from advorch.plan.cells import PortSource
from advorch.plan.references import address, parse_reference, same_label

DATA = "version: 1\ndata: {toy: {uses: toy, splits: {fit: 'train[:10]', final: test}}, raw: {uses: toy}}\n"
TRAIN = "{uses: train/erm, in: {data: toy.fit}, with: {model: {uses: mlp}}}"
MODELS = DATA + f"stages:\n  a: {TRAIN}\n  b: {TRAIN}\n"
GRID = MODELS + (
    "  hit:\n    uses: attack/${matrix.name}\n    with: {epsilon: '${matrix.eps}'}\n"
    "    matrix: {name: [fgsm, pgd], model: [a.model, b.model], eps: [0.1, 1e-3]}\n"
    "    in: {model: '${matrix.model}', data: toy.final}\n"
)


def sources(plan, cell, port):
    return [source.cell for source in plan.cells[cell].inputs[port]]


def test_data_and_split(world):
    plan = world.plan(MODELS)
    (source,) = plan.cells["a"].inputs["data"]
    assert (source.uses, source.split) == ("toy", "train[:10]")


def test_data_without_splits_has_those_of_its_dataset(world):
    plan = world.plan(MODELS.replace("data: toy.fit}", "data: raw.test}", 1))
    assert plan.cells["a"].inputs["data"][0].split == "test"


def test_stage_and_port(world):
    plan = world.plan(MODELS + "  hit: {uses: attack/pgd, in: {model: b.model, data: toy.final}, with: {epsilon: 0}}\n")
    assert plan.cells["hit"].inputs["model"] == (PortSource(cell="b", port="model"),)
    assert plan.cells["hit"].after == {"b"}


def test_axes_are_addressed_in_the_order_of_the_file_and_references_by_their_stage(world):
    cells = list(world.plan(GRID).cells)[2:]
    assert cells[:3] == [
        "hit[name=fgsm,model=a,eps=0.1]",
        "hit[name=fgsm,model=a,eps=0.001]",
        "hit[name=fgsm,model=b,eps=0.1]",
    ]
    assert len(cells) == 8
    assert world.plan(GRID).cells[cells[0]].axes == {"name": "fgsm", "model": "a.model", "eps": 0.1}


@pytest.mark.parametrize(
    ("reference", "count"),
    [
        ("hit[*]", 8),
        ("hit[name=pgd,*]", 4),
        ("hit[*,name=pgd]", 4),
        ("hit[name=pgd,model=b,*]", 2),
        ("hit[eps=1e-3,*]", 4),
        ("hit[eps=0.001,model=a,name=fgsm]", 1),
    ],
)
def test_cells_by_selector_in_any_order_and_by_number(world, reference, count):
    text = GRID + f"  report: {{uses: evaluate/report, in: {{models: a.model, attacks: '{reference}.adversarial'}}}}\n"
    plan = world.plan(text)
    found = sources(plan, "report", "attacks")
    assert len(found) == len(set(found)) == count
    globbed = "*" in reference
    assert set(found) == (plan.cells["report"].optional_after if globbed else plan.cells["report"].after - {"a"})


def test_a_matrix_may_narrow_a_reference_to_its_own_cell(world):
    text = DATA + (
        "stages:\n"
        "  train: {uses: train/erm, matrix: {seed: [0, 1]}, in: {data: toy.fit}, with: {model: {uses: mlp}}}\n"
        "  hit:\n    uses: attack/pgd\n    matrix: {seed: [0, 1]}\n    with: {epsilon: 0.1}\n"
        "    in: {model: 'train[seed=${matrix.seed}].model', data: toy.final}\n"
    )
    plan = world.plan(text)
    assert sources(plan, "hit[seed=1]", "model") == ["train[seed=1]"]
    assert [plan.cells[f"train[seed={n}]"].seed for n in (0, 1)] == [0, 1]


def test_the_key_seed_goes_before_the_axis_of_that_name(world):
    text = (
        DATA + "stages:\n  s: {uses: evaluate/step, seed: '${matrix.seed + 10}', matrix: {seed: [1, 2], kind: [x]}}\n"
    )
    assert [cell.seed for cell in world.plan(text).cells.values()] == [11, 12]


def test_an_axis_from_a_parameter(world):
    text = DATA + "params: {sizes: [1, 2, 3]}\nstages: {s: {uses: evaluate/step, matrix: {n: '${params.sizes}'}}}\n"
    assert list(world.plan(text).cells) == ["s[n=1]", "s[n=2]", "s[n=3]"]


def test_references_from_a_parameter(world):
    text = MODELS + "  report: {uses: evaluate/report, in: {models: '${params.models}'}}\nparams: {models: [b.model]}\n"
    assert sources(world.plan(text), "report", "models") == ["b"]


def test_values_that_cannot_be_written_in_an_address_are_numbered(world):
    text = DATA + "stages: {s: {uses: evaluate/step, matrix: {v: ['train[:5]', {a: 1}, plain]}}}\n"
    assert list(world.plan(text).cells) == ["s[v=#0]", "s[v=#1]", "s[v=plain]"]


def test_references_that_share_a_stage_keep_their_port(world):
    text = DATA + "stages: {s: {uses: evaluate/step, matrix: {v: [toy.fit, toy.final]}}}\n"
    assert list(world.plan(text).cells) == ["s[v=toy.fit]", "s[v=toy.final]"]


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ("{name: fgsm}", 4),
        ("{name: fgsm, model: a.model}", 6),
        ("{name: [fgsm, pgd], model: a}", 4),
        ("{eps: 0.001, name: pgd, model: b}", 7),
    ],
)
def test_exclude(world, rule, left):
    text = GRID.replace("eps: [0.1, 1e-3]", f"eps: [0.1, 1e-3], exclude: [{rule}]")
    assert len(world.plan(text).cells) - 2 == left


def test_a_cell_that_is_excluded_cannot_be_read(world):
    text = GRID.replace("eps: [0.1, 1e-3]", "eps: [0.1, 1e-3], exclude: [{name: fgsm}]")
    text += "  report: {uses: evaluate/report, in: {models: a.model, attacks: 'hit[name=fgsm,*].adversarial'}}\n"
    problem = world.problem(text)
    assert "no 'fgsm'" in problem.message


def test_samples_and_adversarials_are_datasets_too(world):
    text = MODELS + (
        "  gan: {uses: generate/gan, in: {data: toy.fit}}\n"
        "  hit: {uses: attack/pgd, in: {model: a.model, data: gan.samples}, with: {epsilon: 0.1}}\n"
        "  more: {uses: attack/pgd, in: {model: b.model, data: hit.adversarial}, with: {epsilon: 0.1}}\n"
    )
    assert sources(world.plan(text), "more", "data") == ["hit"]


def test_needs_is_an_edge_and_a_glob_of_it_forgives(world):
    plan = world.plan(GRID + "  x: {uses: evaluate/step, needs: [a, 'hit[name=pgd,*]']}\n")
    assert plan.cells["x"].after == {"a"}
    assert len(plan.cells["x"].optional_after) == 4
    strict = world.plan(GRID + "  x: {uses: evaluate/step, needs: hit}\n").cells["x"]
    assert len(strict.after) == 8


def test_what_is_needed_strictly_is_not_optional_as_well(world):
    text = GRID + (
        "  x: {uses: evaluate/report, in: {models: a.model, "
        "attacks: ['hit[*].adversarial', 'hit[name=pgd,model=a,eps=0.1].adversarial']}}\n"
    )
    cell = world.plan(text).cells["x"]
    assert "hit[name=pgd,model=a,eps=0.1]" in cell.after
    assert not cell.after & cell.optional_after


@pytest.mark.parametrize("text", ["", "a..b", "a[b]", "a[b=]", "a[=c]", "a[b=c,b=d].e", "a[b=c", ".a", "a.b.c", "a b"])
def test_what_is_no_reference(text):
    assert parse_reference(text) is None


def test_parts_of_a_reference():
    found = parse_reference(" hit[name=pgd, *].adversarial ")
    assert found is not None
    assert (found.name, found.port, dict(found.selectors), found.glob) == ("hit", "adversarial", {"name": "pgd"}, True)
    assert address("hit", {"name": "pgd", "eps": "0.1"}) == "hit[name=pgd,eps=0.1]"
    assert address("hit", {}) == "hit"


def test_labels_are_equal_as_text_or_as_numbers():
    assert same_label("0.001", "1e-3")
    assert same_label("8/255", "8/255")
    assert not same_label("1", "2")
    assert not same_label("pgd", "1")
