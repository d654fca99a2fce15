"""The action key: what must change it, what must not, and what two different things must never share."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advorch.plan.cells import Settled
from advorch.plan.keys import action_key, runtime

BASE = """\
version: 1
name: base
seed: 7
params: {epsilon: 0.1, other: 5}
data:
  d: {uses: digits, with: {root: ROOT}, splits: {fit: "train[:10]", final: test}}
stages:
  plain:
    uses: train/erm
    in: {data: d.fit}
    with: {model: {uses: remote, with: {weights: ROOT/y.bin}}, epochs: 3}
  robust:
    uses: defend/trades
    in: {data: d.fit}
    with:
      model: {uses: mlp, with: {width: 8}}
      lambda: 2
      attack: {uses: pgd, with: {epsilon: "${params.epsilon}", steps: 3, token: {secret: ONE}}}
  hit:
    uses: attack/pgd
    in: {model: robust.model, data: d.final}
    with: {epsilon: 0.2}
"""


@pytest.fixture
def base(digits):
    return BASE.replace("ROOT", str(digits))


CHANGES = {
    "root seed": ("seed: 7", "seed: 8", {"plain", "robust", "hit"}),
    "split": ("train[:10]", "train[:11]", {"plain", "robust", "hit"}),
    "other split": ("final: test", "final: 'test[:5]'", {"hit"}),
    "a data parameter": ("with: {root: ", "with: {normalise: true, root: ", {"plain", "robust", "hit"}),
    "a parameter": ("epochs: 3", "epochs: 4", {"plain"}),
    "a parameter's default": ("epochs: 3", "epochs: 3, lr: 0.01", {"plain"}),
    "an alias": ("lambda: 2", "lambda: 3", {"robust", "hit"}),
    "a nested parameter": ("steps: 3", "steps: 4", {"robust", "hit"}),
    "a nested component": ("uses: pgd, with: {epsilon: \"${params.epsilon}\", steps: 3, token: {secret: ONE}}",
                           "uses: fgsm, with: {epsilon: 0.1}", {"robust", "hit"}),
    "an interpolated parameter": ("epsilon: 0.1,", "epsilon: 0.15,", {"robust", "hit"}),
    "the component": ("uses: attack/pgd", "uses: attack/fgsm", {"hit"}),
    "the stage's seed": ("    with: {epsilon: 0.2}", "    seed: 1\n    with: {epsilon: 0.2}", {"hit"}),
    "gpus": ("    with: {epsilon: 0.2}", "    resources: {gpus: 0.5}\n    with: {epsilon: 0.2}", {"hit"}),
    "threads": ("    with: {epsilon: 0.2}", "    resources: {cpus: 2}\n    with: {epsilon: 0.2}", {"hit"}),
    "workers of a fit": (
        "    with: {model: {uses: remote", "    resources: {workers: 2}\n    with: {model: {uses: remote", {"plain"}
    ),
    "precision": ("epochs: 3", "epochs: 3, precision: bf16", {"plain"}),
    "input": ("data: d.final", "data: d.fit", {"hit"}),
    "model input": ("model: robust.model", "model: plain.model", {"hit"}),
}  # fmt: skip

NO_CHANGES = {
    "the pipeline's name": ("name: base", "name: other"),
    "a parameter that nobody reads": ("other: 5", "other: 6"),
    "retries": ("    with: {epsilon: 0.2}", "    retry: {max: 5, on: [oom]}\n    with: {epsilon: 0.2}"),
    "workers of a map": ("    with: {epsilon: 0.2}", "    resources: {workers: 2}\n    with: {epsilon: 0.2}"),
    "a timeout": ("    with: {epsilon: 0.2}", "    timeout: 3h\n    with: {epsilon: 0.2}"),
    "memory": ("    with: {epsilon: 0.2}", "    resources: {memory: 4GiB}\n    with: {epsilon: 0.2}"),
    "more of a gpu": ("    with: {epsilon: 0.2}", "    resources: {gpus: 0}\n    with: {epsilon: 0.2}"),
    "a part of a cpu": ("    with: {epsilon: 0.2}", "    resources: {cpus: 0.5}\n    with: {epsilon: 0.2}"),
    "failure": ("    with: {epsilon: 0.2}", "    on_failure: continue\n    with: {epsilon: 0.2}"),
    "a limit": ("seed: 7", "seed: 7\nlimits: {licence: 3}"),
    "a secret": ("{secret: ONE}", "{secret: TWO}"),
    "a default written out": ("epochs: 3", "epochs: 3, batch: 128, precision: fp32"),
    "a nested default written out": ("steps: 3,", "steps: 3, norm: linf,"),
    "another spelling of a number": ("lambda: 2", "lambda: 2.0"),
    "a rational": ("epsilon: 0.2", "epsilon: 1/5"),
    "the order of keys": ("epsilon: \"${params.epsilon}\", steps: 3,", "steps: 3, epsilon: \"${params.epsilon}\","),
    "the name of a split": ("fit:", "Fit:"),
    "a profile": ("seed: 7", "seed: 7\nprofiles: {x: {params: {other: 9}}}"),
    "tracking": ("seed: 7", "seed: 7\ntracking: {mlflow: false}"),
    "storage": ("seed: 7", "seed: 7\nstorage: elsewhere"),
    "a condition that holds": ("    with: {epsilon: 0.2}", "    when: ${1 < 2}\n    with: {epsilon: 0.2}"),
    "waiting": ("    with: {epsilon: 0.2}", "    needs: plain\n    with: {epsilon: 0.2}"),
}  # fmt: skip


def edited(base: str, old: str, new: str) -> str:
    assert old in base
    return base.replace(old, new).replace("d.fit", "d.Fit" if new == "Fit:" else "d.fit")


@pytest.mark.parametrize("name", CHANGES)
def test_each_part_changes_the_keys_of_those_whom_it_concerns(world, base, name):
    old, new, concerned = CHANGES[name]
    before, after = world.keys(base), world.keys(edited(base, old, new))
    assert {cell for cell in before if before[cell] != after[cell]} == concerned


@pytest.mark.parametrize("name", NO_CHANGES)
def test_what_does_not_decide_an_output_is_not_in_the_key(world, base, name):
    old, new = NO_CHANGES[name]
    assert world.keys(edited(base, old, new)) == world.keys(base)


def test_names_order_and_neighbours_do_not_matter(world, base):
    head, _, stages = base.partition("stages:\n")
    plain, robust, hit = re.findall(r"  \w+:\n(?:    .*\n)+", stages)
    turned = head + "stages:\n" + hit + "  more: {uses: evaluate/step}\n" + robust + plain
    keys = world.keys(base)
    again = world.keys(turned)
    assert {name: again[name] for name in keys} == keys
    renamed = world.keys(base.replace("robust", "sturdy").replace("hit:", "strike:").replace("d.f", "e.f")
                         .replace("  d: {", "  e: {"))  # fmt: skip
    assert sorted(renamed.values()) == sorted(keys.values())


def test_data_that_moved_has_the_same_keys_and_data_that_changed_has_not(world, base, digits, tmp_path):
    keys = world.keys(base)
    moved = tmp_path / "moved"
    digits.rename(moved)
    elsewhere = base.replace(str(digits), str(moved))
    assert world.keys(elsewhere) == keys
    (moved / "x.bin").write_bytes(b"pixelz")
    changed = world.keys(elsewhere)
    assert not set(changed.values()) & set(keys.values())


def test_weights_that_changed_change_the_key_of_the_stage_that_nests_them(world, base, digits):
    extra = base.replace("weights: " + str(digits / "y.bin"), "weights: " + str(digits / "w.bin"))
    (digits / "w.bin").write_bytes(b"weights")
    keys = world.keys(extra)
    (digits / "w.bin").write_bytes(b"heavier")
    changed = world.keys(extra)
    assert {cell for cell in keys if keys[cell] != changed[cell]} == {"plain"}


def test_two_files_whose_contents_are_swapped_are_another_data_set(world, base, digits):
    keys = world.keys(base)
    (digits / "x.bin").write_bytes(b"labels")
    (digits / "y.bin").write_bytes(b"pixels")
    assert not set(world.keys(base).values()) & set(keys.values())


def test_a_location_of_any_component_counts_by_content(world, digits, tmp_path):
    text = (
        "version: 1\ndata: {toy: {uses: toy}}\nstages:\n"
        "  m: {uses: train/erm, in: {data: toy.train}, with: {model: {uses: mlp}}}\n"
        "  hit: {uses: attack/patch, in: {model: m.model, data: toy.test}, with: {epsilon: 0.1, mask: ROOT}}\n"
    )
    keys = world.keys(text.replace("ROOT", str(digits)))
    moved = tmp_path / "there"
    digits.rename(moved)
    assert world.keys(text.replace("ROOT", str(moved))) == keys
    (moved / "extra.bin").write_bytes(b"")
    assert world.keys(text.replace("ROOT", str(moved)))["hit"] != keys["hit"]
    assert world.keys(text.replace(", mask: ROOT", ""))["hit"] != keys["hit"]


@pytest.mark.parametrize("changed", ["defend/trades", "model/mlp", "attack/pgd", "dataset/digits"])
def test_the_code_of_every_component_involved_is_in_the_key(world, base, changed):
    before = world.keys(base)
    world.sources = lambda component: "new" if component.id == changed else f"source of {component.id}"
    after = world.keys(base)
    assert before["robust"] != after["robust"]


def test_code_that_is_not_involved_is_not(world, base):
    before = world.keys(base)
    world.sources = lambda component: "new" if component.id == "attack/pgd" else f"source of {component.id}"
    assert world.keys(base)["plain"] == before["plain"]


def test_swapping_two_values_makes_another_key(world):
    text = "version: 1\nstages: {s: {uses: defend/ensemble, in: {data: t.train}, with: {model: {uses: mlp}, "
    text += "attacks: [{uses: pgd, with: {epsilon: A, steps: B}}]}}}\ndata: {t: {uses: toy}}\n"
    one = world.keys(text.replace("A", "0.1").replace("B", "1"))
    two = world.keys(text.replace("A", "1").replace("B", "2"))
    three = world.keys(text.replace("A", "0.2").replace("B", "1"))
    assert len({keys["s"] for keys in (one, two, three)}) == 3


def test_the_order_of_inputs_counts(world):
    text = (
        "version: 1\ndata: {toy: {uses: toy}}\nstages:\n"
        "  a: {uses: train/erm, in: {data: toy.train}, with: {model: {uses: mlp}}}\n"
        "  b: {uses: train/erm, in: {data: toy.train}, with: {model: {uses: mlp}, epochs: 4}}\n"
        "  r: {uses: evaluate/report, in: {models: [a.model, b.model]}}\n"
    )
    assert world.keys(text)["r"] != world.keys(text.replace("[a.model, b.model]", "[b.model, a.model]"))["r"]


def test_equal_cells_share_a_key_and_a_seed_parts_them(world):
    step = "{uses: evaluate/step"
    text = f"version: 1\nstages:\n  a: {step}}}\n  b: {step}}}\n  c: {step}, seed: 1}}\n"
    keys = world.keys(text)
    assert keys["a"] == keys["b"] != keys["c"]


def test_early_cutoff(world, base, make_manifest):
    """An input that was recomputed to the same bytes changes no key behind it."""
    plan = world.plan(base)
    done = {}
    for address in ("plain", "robust"):
        settled = plan.settle(address, done)
        assert isinstance(settled, Settled)
        done[address] = make_manifest(settled, content="same bytes")
    changed = world.plan(base.replace("lambda: 2", "lambda: 3"))
    again = {name: make_manifest(changed.settle(name, {}), content="same bytes") for name in ("plain", "robust")}
    assert again["robust"].key != done["robust"].key
    assert changed.settle("hit", again).key == plan.settle("hit", done).key


def test_the_parts_are_told_by_name(world, base):
    parts = world.settled(base, "robust").parts
    assert list(parts) == [
        "schema", "component", "sources", "params", "contents", "inputs", "seed", "device", "threads", "workers",
        "runtime",
    ]  # fmt: skip
    assert parts["params"]["attack"]["with"] == {
        "epsilon": 0.1, "norm": "linf", "targeted": False, "steps": 3, "alpha": None,
    }  # fmt: skip
    assert world.settled(base, "plain").parts["contents"] == {"model.with": {"y.bin": b"labels".hex()}}
    assert world.settled(base, "plain").params["model"]["with"]["weights"].endswith("y.bin")


def test_torch_is_not_imported_to_tell_its_version():
    assert set(runtime()) == {"python", "torch"}
    assert runtime()["torch"].count(".") == 1


def test_no_two_parts_run_together():
    assert action_key({"a": ["v1", "23"]}) != action_key({"a": ["v12", "3"]})
    assert action_key({"a": "1"}) != action_key({"a": 1})
    assert action_key({"a": 1}) != action_key({"a": 1.0})
    assert action_key({"a": {"b": 1}}) != action_key({"a.b": 1})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, min_size=2, max_size=5))
def test_the_order_of_a_map_never_counts(parts):
    turned = dict(reversed(list(parts.items())))
    assert action_key(parts) == action_key(turned)


@given(JSON, JSON)
def test_different_values_have_different_keys(one, other):
    def typed(value):
        if isinstance(value, dict):
            return ("map", tuple(sorted((key, typed(item)) for key, item in value.items())))
        if isinstance(value, list):
            return ("list", tuple(typed(item) for item in value))
        return (type(value).__name__, value)

    assert (action_key({"v": one}) == action_key({"v": other})) == (repr(typed(one)) == repr(typed(other))) or (
        typed(one) == typed(other)  # -0.0 equals 0.0
    )


def test_the_key_is_the_digest_of_the_parts(world, base):
    settled = world.settled(base, "hit")
    assert action_key(settled.parts) == settled.key
