"""The order of cells, on graphs drawn at random."""

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advorch.plan.order import ancestors, find_cycle, reverse, topological


@st.composite
def graphs(draw, acyclic: bool = True):
    """Names in the order of a file, each with what it depends on."""
    count = draw(st.integers(1, 14))
    names = [f"s{index}" for index in draw(st.permutations(range(count)))]
    rank = {name: index for index, name in enumerate(draw(st.permutations(names)))}
    edges = {}
    for name in names:
        allowed = [other for other in names if not acyclic or rank[other] < rank[name]]
        edges[name] = draw(st.lists(st.sampled_from(allowed), unique=True)) if allowed else []
    return edges


@given(graphs())
def test_everything_comes_after_what_it_depends_on(edges):
    order = topological(edges)
    assert sorted(order) == sorted(edges)
    place = {name: index for index, name in enumerate(order)}
    assert all(place[before] < place[name] for name, befores in edges.items() for before in befores)


@given(graphs())
def test_independent_names_stay_in_the_order_of_the_file(edges):
    free = [name for name, befores in edges.items() if not befores]
    assert [name for name in topological(edges) if name in free] == free


@given(graphs())
def test_the_order_of_the_edges_does_not_matter(edges):
    assert topological(edges) == topological({name: list(reversed(befores)) for name, befores in edges.items()})


@given(graphs(acyclic=False))
def test_a_cycle_is_found_exactly_where_there_is_one(edges):
    left = [name for name in edges if name not in topological(edges)]
    reached = ancestors(edges, ["s0"])
    assert ("s0" in reached) <= ("s0" in left)
    if left:
        loop = find_cycle(edges, left)
        assert loop[0] == loop[-1]
        assert len(set(loop)) == len(loop) - 1
        assert all(before in edges[name] for before, name in itertools.pairwise(loop))


@given(graphs())
def test_ancestors_and_followers_are_two_views_of_one_thing(edges):
    followers = reverse(edges)
    for name in edges:
        assert all(name in ancestors(followers, [other]) for other in ancestors(edges, [name]))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edges=graphs())
def test_a_random_pipeline_settles_in_its_order(world, edges):
    stages = "".join(
        f"  {name}: {{uses: evaluate/step, in: {{tables: [{', '.join(f'{before}.table' for before in befores)}]}}}}\n"
        for name, befores in edges.items()
    )
    plan = world.plan(f"version: 1\nstages:\n{stages}")
    assert list(plan.cells) == topological(edges)
    ran = world.run(plan)
    assert len(ran.keys()) == len(edges)
