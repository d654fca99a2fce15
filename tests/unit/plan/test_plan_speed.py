"""A thousand stages are planned and settled in a blink; limits are about three times what was measured."""

import time

from advorch.plan.build import build_plan
from advorch.spec.load import load_pipeline

STAGES = 1000


def spec_of(tmp_path):
    lines = ["version: 1", "data: {toy: {uses: toy}}", "stages:"]
    lines += ["  m: {uses: train/erm, in: {data: toy.train}, with: {model: {uses: mlp}}}"]
    lines += [
        f"  s{index}: {{uses: attack/pgd, in: {{model: m.model, data: toy.test}}, "
        f"with: {{epsilon: 0.5, steps: {index}}}}}"
        for index in range(1, STAGES)
    ]
    return load_pipeline(tmp_path / "big.yaml", text="\n".join(lines))


def best_of_three(work):
    times = []
    for _ in range(3):
        start = time.process_time()
        result = work()
        times.append(time.process_time() - start)
    return min(times), result


def test_a_thousand_stages(world, tmp_path):
    class NoFiles:
        def digests(self, files):
            return {}

    spec = spec_of(tmp_path)
    built, plan = best_of_three(lambda: build_plan(spec, world.registry, digests=NoFiles(), sources=world.sources))
    done = world.run(plan).done
    settled, _ = best_of_three(lambda: [plan.settle(address, done) for address in plan.cells])
    assert len(plan.cells) == STAGES
    assert built < 0.4
    assert settled < 0.3


def test_schemas_and_source_digests_are_taken_once_a_component(world, tmp_path, monkeypatch):
    from advorch.components import Attack

    joined = []
    schema = Attack.schema
    monkeypatch.setattr(Attack, "schema", lambda self: joined.append(self.id) or schema(self))
    plan = world.plan("version: 1\ndata: {toy: {uses: toy}}\nstages:\n"
                      "  m: {uses: train/erm, in: {data: toy.train}, with: {model: {uses: mlp}}}\n"
                      "  h: {uses: attack/pgd, matrix: {seed: [1, 2, 3]}, in: {model: m.model, data: toy.test}, "
                      "with: {epsilon: 0.1}}\n")  # fmt: skip
    world.run(plan)
    assert joined == ["attack/pgd"]


def test_source_digests_are_remembered(world, monkeypatch):
    from advorch.plan import build

    asked = []
    monkeypatch.setattr(build, "source_digest", lambda component, cache: asked.append(component.id) or "digest")
    sources = build.cached_sources()
    for _ in range(3):
        assert sources(world.registry.component("attack/pgd")) == "digest"
    assert asked == ["attack/pgd"]
