"""What `plan` and `explain` say, and what a selection leaves of a plan."""

import pytest

from advorch.errors import UsageError
from advorch.plan.explain import compare, explain
from advorch.plan.preview import State, preview

TEXT = """\
version: 1
data: {toy: {uses: toy}}
stages:
  plain: {uses: train/erm, in: {data: toy.train}, with: {model: {uses: mlp}, epochs: 3}}
  hit:
    uses: attack/${matrix.name}
    matrix: {name: [fgsm, pgd]}
    in: {model: plain.model, data: toy.test}
    with: {epsilon: 0.1}
  report: {uses: evaluate/report, in: {models: plain.model, attacks: "hit[*].adversarial"}}
"""


def states(rows):
    return {row.cell: row.state for row in rows}


def fill(world, store, text, only=()):
    for address, manifest in world.run(world.plan(text)).done.items():
        if not only or address in only:
            store.commit(manifest)


def test_nothing_is_known_at_first(world, store):
    rows = preview(world.plan(TEXT), store)
    assert [row.state for row in rows] == [State.RUN, State.DEFERRED, State.DEFERRED, State.DEFERRED]
    assert rows[0].reason == "never computed"
    assert rows[1].reason == "key known after plain"
    assert rows[3].reason == "key known after plain, hit[name=fgsm], hit[name=pgd]"
    assert all(row.is_work for row in rows)


def test_everything_is_cached_in_the_end(world, store):
    fill(world, store, TEXT)
    rows = preview(world.plan(TEXT), store)
    assert set(states(rows).values()) == {State.CACHED}
    assert not any(row.is_work for row in rows)
    assert all(row.key for row in rows)


def test_a_change_is_named_with_both_values(world, store):
    fill(world, store, TEXT)
    rows = preview(world.plan(TEXT.replace("epsilon: 0.1", "epsilon: 0.3")), store)
    assert states(rows) == {
        "plain": State.CACHED, "hit[name=fgsm]": State.RUN, "hit[name=pgd]": State.RUN, "report": State.DEFERRED,
    }  # fmt: skip
    assert rows[1].reason == "params.epsilon: 0.1 -> 0.3"


def test_many_changes_are_counted(world, store):
    fill(world, store, TEXT)
    row = preview(world.plan(TEXT.replace("epochs: 3", "epochs: 4, batch: 1, lr: 1, momentum: 0")), store)[0]
    assert row.reason.endswith("; and 1 more")
    assert len(row.differences) == 4


def test_force(world, store):
    fill(world, store, TEXT)
    plan = world.plan(TEXT)
    assert states(preview(plan, store, ["plain"]))["plain"] is State.RUN
    assert states(preview(plan, store, ["hit[name=pgd]"]))["hit[name=fgsm]"] is State.CACHED
    rows = preview(plan, store, ["hit"])
    assert (rows[1].reason, rows[3].state) == ("forced", State.DEFERRED)


def test_skipped(world, store):
    text = TEXT.replace("    with: {epsilon: 0.1}", "    when: ${1 > 2}\n    with: {epsilon: 0.1}")
    fill(world, store, TEXT, only=["plain"])
    rows = preview(world.plan(text), store)
    assert states(rows)["hit[name=pgd]"] is State.SKIPPED
    assert states(rows)["report"] is State.SKIPPED


def test_only_takes_what_it_needs_from_the_cache(world, store):
    plan = world.plan(TEXT, only=("hit[name=pgd]",))
    assert list(plan.cells) == ["plain", "hit[name=pgd]"]
    assert plan.reuse == {"plain"}
    rows = preview(plan, store)
    assert states(rows)["plain"] is State.ABSENT
    fill(world, store, TEXT, only=["plain"])
    assert states(preview(plan, store)) == {"plain": State.CACHED, "hit[name=pgd]": State.RUN}


def test_until_and_from(world):
    assert list(world.plan(TEXT, until=("hit",)).cells) == ["plain", "hit[name=fgsm]", "hit[name=pgd]"]
    plan = world.plan(TEXT, from_=("hit",))
    assert set(plan.cells) - plan.reuse == {"hit[name=fgsm]", "hit[name=pgd]", "report"}
    assert plan.reuse == {"plain"}
    both = world.plan(TEXT, from_=("hit",), until=("hit[name=pgd]",))
    assert set(both.cells) - both.reuse == {"hit[name=pgd]"}


@pytest.mark.parametrize("word", ["hitt", "hit[name=pdg]", "plain.model", "[", "plain[*,a=b]"])
def test_a_selection_of_nothing_is_a_usage_error(world, word):
    with pytest.raises(UsageError, match="--only"):
        world.plan(TEXT, only=(word,))


def test_a_selection_does_not_change_keys(world):
    keys = world.keys(TEXT)
    some = world.keys(TEXT, only=("hit",))
    assert {name: keys[name] for name in some} == some


def test_explain_takes_the_nearest_result(world, store):
    fill(world, store, TEXT.replace("epochs: 3", "epochs: 9, batch: 7"))
    fill(world, store, TEXT.replace("epochs: 3", "epochs: 5"))
    settled = world.settled(TEXT, "plain")
    assert [str(item) for item in explain(settled, store)] == ["params.epochs: 5 -> 3"]


def test_of_equally_near_results_the_newest_counts(world, store):
    fill(world, store, TEXT.replace("epochs: 3", "epochs: 5"))
    fill(world, store, TEXT.replace("epochs: 3", "epochs: 6"))
    assert [str(item) for item in explain(world.settled(TEXT, "plain"), store)] == ["params.epochs: 6 -> 3"]


def test_explain_says_nothing_of_another_component_or_of_the_same_key(world, store):
    assert explain(world.settled(TEXT, "plain"), store) == []
    fill(world, store, TEXT)
    assert explain(world.settled(TEXT, "plain"), store) == []


def test_parts_that_came_and_went():
    before = {"params": {"a": 1, "list": [1, 2], "old": True}, "sources": {"x": "0" * 64}}
    now = {"params": {"a": 1.0, "list": [1], "new": "word"}, "sources": {"x": "f" * 64}}
    assert [str(item) for item in compare(before, now)] == [
        "params.a: 1 -> 1.0",
        "params.new: word is new",
        f"sources.x: {'0' * 12} -> {'f' * 12}",
        "params.list[1]: 2 is gone",
        "params.old: true is gone",
    ]


def test_two_long_texts_that_differ_at_the_end_look_different():
    (difference,) = compare({"a": "x" * 64}, {"a": "x" * 63 + "y"})
    assert difference.before != difference.now
