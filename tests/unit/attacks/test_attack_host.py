import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from advorch.artifacts import Artifact, ArtifactType, DataInput, Input, Outcome, Signature, StoredInput
from advorch.components import AnyComponent, Attack, Dataset, Model
from advorch.errors import FormatTooNew, StageFailed
from advorch.hosts.attack import open_job
from advorch.kit.adversarial_set import read_adversarial, write_adversarial
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.victim import Victim
from advorch.kit.codecs import ModelRecord, write_model
from advorch.kit.data import Data
from advorch.kit.inputs import open_data
from advorch.params import Params
from advorch.seeds import Seeds
from advorch.threat import Access, Budget, Norm, ThreatModel
from advorch_builtins.attacks import catalog, catalog_minimal

SIGNATURE = Signature(shape=(6,), classes=("a", "b", "c"), box=(0.0, 1.0))


def build(params: Params, signature: Signature) -> nn.Module:
    width = 48
    return nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3))


class Context:
    """What the engine would give, here from a folder."""

    rank, world_size, device = 0, 1, "cpu"

    def __init__(self, scratch: Path, inputs: Mapping[str, tuple[Input, ...]], components: list[AnyComponent]) -> None:
        self.scratch, self.inputs = scratch, inputs
        self.seeds = Seeds(17)
        self._components = {component.id: component for component in components}

    def report(self, metrics: Mapping[str, float], *, step: int, checkpoint: Path | None = None) -> None: ...

    def resume(self) -> Path | None:
        return None

    def lookup(self, component: str) -> AnyComponent:
        return self._components[component]


@pytest.fixture
def context(tmp_path: Path, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> Context:
    """A trained model and 40 samples whose ids are far from their places."""
    x, y = held_out[0][:40], held_out[1][:40]
    data = Data(x=x, y=y, ids=1000 - torch.arange(40), classes=SIGNATURE.classes, box=SIGNATURE.box)
    return make_context(tmp_path, trained, data)


def make_context(tmp_path: Path, module: nn.Module, data: Data, access: Access = Access.GRADIENTS) -> Context:
    record = ModelRecord(component="model/net", params={}, signature=SIGNATURE, access=access, label="plain")
    write_model(tmp_path / "model", module, record)
    artifact = Artifact(type=ArtifactType.MODEL, files={})
    inputs: dict[str, tuple[Input, ...]] = {
        "model": (StoredInput(artifact=artifact, folder=tmp_path / "model"),),
        "data": (DataInput(uses="ring", params={}, split="test", digest="data-digest"),),
    }
    net = Model(name="net", summary="", params=Params, load=lambda: build)
    ring = Dataset(name="ring", summary="", params=Params, load=lambda: lambda params, split: data)
    (tmp_path / "scratch").mkdir(parents=True)
    return Context(tmp_path / "scratch", inputs, [net, ring, *catalog.advorch_components()])


def settings_of(attack: Attack[Any], **values: Any) -> Any:
    return attack.schema().parse({"epsilon": 0.1} | values)


def complete(context: Context, attack: Attack[Any], chunk: int, **values: Any) -> tuple[dict[str, Tensor], Outcome]:
    job = open_job(context, attack, settings_of(attack, chunk=chunk, **values))
    chunks = [job.map(start, min(start + job.chunk, job.count)) for start in range(0, job.count, job.chunk)]
    rows = {name: torch.cat([part[name] for part in chunks]) for name in chunks[0]}
    return rows, job.reduce(rows)


def test_rows_metrics_and_artifact_agree(context: Context, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    rows, outcome = complete(context, catalog.PGD, 16, steps=5)
    x, y = held_out[0][:40], held_out[1][:40]
    with torch.no_grad():
        clean, adversarial = trained(x).argmax(1), trained(rows["adversarial"]).argmax(1)
    robust = (clean == y) & (adversarial == y)
    right = int((clean == y).sum())
    assert set(rows) == {
        "adversarial", "ids", "y", "clean_prediction", "adversarial_prediction", "success", "distance", "queries",
        "forwards", "backwards", "first_step", "unrounded_success", "smallest_epsilon",
    }  # fmt: skip
    assert rows["adversarial"].dtype == torch.float32
    assert torch.equal(rows["ids"], 1000 - torch.arange(40))
    assert 0 < robust.sum() < right < 40
    assert outcome.metrics == {
        "clean_accuracy": right / 40,
        "robust_accuracy": int(robust.sum()) / 40,
        "success_rate": (right - int(robust.sum())) / right,
        "success_rate_unrounded": (right - int(robust.sum())) / right,
        "mean_queries": float(rows["queries"][clean == y].double().mean()),
        "median_first_step": float(rows["first_step"][rows["success"]].double().quantile(0.5)),
        "found_rate": (right - int(robust.sum())) / right,
        "mean_distance": pytest.approx(float(rows["distance"][rows["success"]].mean())),
        "median_distance": pytest.approx(float(rows["distance"][rows["success"]].quantile(0.5))),
        "relative_distance": pytest.approx(float((rows["distance"] / x.abs().amax(1))[rows["success"]].mean())),
        "violations": 0.0,
    }
    assert catalog.PGD.metrics <= set(outcome.metrics)
    output = outcome.outputs["adversarial"]
    found = read_adversarial(output.folder)
    assert all(torch.equal(getattr(found, name), value) for name, value in rows.items())
    assert (found.attack, found.label, found.data) == ("attack/pgd", "plain", "data-digest")
    assert found.settings["steps"] == 5
    assert found.settings["epsilon"] == 0.1
    assert found.model == context.inputs["model"][0].artifact.digest
    assert found.robust.double().mean() == outcome.metrics["robust_accuracy"]


@pytest.mark.parametrize("name", ["pgd", "uniform-noise"])
def test_a_chunk_is_the_same_bit_for_bit_on_any_worker(context: Context, name: str) -> None:
    attack = context.lookup(f"attack/{name}")
    one, two = (open_job(context, attack, settings_of(attack)) for _ in range(2))
    one.map(0, 20), torch.rand(7)
    first, second = one.map(20, 33), two.map(20, 33)
    assert all(torch.equal(first[column], second[column]) for column in first)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_chunk_sizes_change_no_verdict_but_on_the_border(context: Context, norm: str) -> None:
    small, large = (complete(context, catalog.PGD, chunk, steps=5, norm=norm)[0] for chunk in (7, 64))
    assert int((small["success"] != large["success"]).sum()) == 0
    assert torch.allclose(small["adversarial"], large["adversarial"], atol=1e-4)
    noise = [complete(context, catalog.UNIFORM_NOISE, chunk, norm=norm)[0] for chunk in (7, 64)]
    assert torch.equal(noise[0]["adversarial"], noise[1]["adversarial"])


def test_samples_limits_to_the_first(context: Context) -> None:
    rows, outcome = complete(context, catalog.FGSM, 64, samples=9)
    assert torch.equal(rows["ids"], 1000 - torch.arange(9))
    assert len(read_adversarial(outcome.outputs["adversarial"].folder)) == 9
    assert open_job(context, catalog.FGSM, settings_of(catalog.FGSM, samples=999)).count == 40


def test_adversarials_are_a_dataset(context: Context) -> None:
    rows, outcome = complete(context, catalog.FGSM, 64)
    output = outcome.outputs["adversarial"]
    artifact = Artifact(type=output.type, files={}, meta=output.meta)
    data = open_data(context, StoredInput(artifact=artifact, folder=output.folder))
    assert torch.equal(data.x, rows["adversarial"])
    assert torch.equal(data.y, rows["y"])
    assert data.signature == SIGNATURE


def test_targeted_stage(context: Context) -> None:
    rows, _ = complete(context, catalog.PGD, 16, targeted=True, epsilon=0.4, steps=20)
    assert rows["success"].any()
    assert rows["adversarial_prediction"][rows["success"]].ne(rows["y"][rows["success"]]).all()


def test_what_cannot_be_done_is_refused(tmp_path: Path, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    data = Data(x=held_out[0], y=held_out[1], ids=torch.arange(128), classes=SIGNATURE.classes, box=SIGNATURE.box)
    closed = make_context(tmp_path / "a", trained, data, Access.LABELS)
    with pytest.raises(StageFailed, match="needs gradients"):
        open_job(closed, catalog.PGD, settings_of(catalog.PGD))
    assert complete(closed, catalog.UNIFORM_NOISE, 64)[1].metrics["violations"] == 0
    with pytest.raises(StageFailed, match="l2"):
        open_job(closed, catalog.SIGN_NOISE, settings_of(catalog.SIGN_NOISE, norm="l2"))
    narrow = Data(x=data.x[:, :5], y=data.y, ids=data.ids, classes=data.classes, box=data.box)
    with pytest.raises(StageFailed, match="shape"):
        open_job(make_context(tmp_path / "b", trained, narrow), catalog.PGD, settings_of(catalog.PGD))


def test_an_attack_without_samples_to_attack(
    tmp_path: Path, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    wrong = (trained(held_out[0]).argmax(1) + 1) % 3
    data = Data(x=held_out[0], y=wrong, ids=torch.arange(128), classes=SIGNATURE.classes, box=SIGNATURE.box)
    metrics = complete(make_context(tmp_path, trained, data), catalog.FGSM, 64)[1].metrics
    assert metrics == dict.fromkeys(metrics, 0.0) | {"median_first_step": -1.0}


def test_violations_are_counted_from_what_is_handed_on(context: Context) -> None:
    job = open_job(context, catalog.FGSM, settings_of(catalog.FGSM))
    rows = dict(job.map(0, 40))
    rows["adversarial"] = rows["adversarial"].clone()
    rows["adversarial"][3] += 0.5
    assert job.reduce(rows).metrics["violations"] == 1


def test_a_cheat_is_named(context: Context) -> None:
    def cheat(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
        return 1 - x

    threat = ThreatModel(access=Access.NOTHING, norms=frozenset({Norm.LINF}))
    attack = Attack(name="cheat", summary="", params=Params, load=lambda: cheat, threat=threat)
    with pytest.raises(StageFailed, match=r"cheat.*left the threat set"):
        open_job(context, attack, settings_of(attack)).map(0, 40)


def test_a_newer_format_is_refused(context: Context, tmp_path: Path) -> None:
    _, outcome = complete(context, catalog.FGSM, 64)
    samples = read_adversarial(outcome.outputs["adversarial"].folder)
    write_adversarial(tmp_path / "copy", samples)
    for name in ("adversarial.safetensors", "adversarial.json"):
        assert (tmp_path / "copy" / name).read_bytes() == (outcome.outputs["adversarial"].folder / name).read_bytes()
    record = tmp_path / "copy" / "adversarial.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"format": "adversarial/99"}))
    with pytest.raises(FormatTooNew):
        read_adversarial(tmp_path / "copy")


@pytest.mark.parametrize("targeted", [False, True])
def test_a_minimal_budget_is_searched_without_epsilon_and_judged_at_it(
    context: Context, trained: nn.Module, held_out: tuple[Tensor, Tensor], targeted: bool
) -> None:
    rows, outcome = complete(context, catalog_minimal.FMN, 16, norm="l2", epsilon=0.1, targeted=targeted)
    x, right = held_out[0][:40], rows["clean_prediction"] == rows["y"]
    changed = right & (rows["adversarial_prediction"] != rows["y"])
    distance = (rows["adversarial"] - x).norm(dim=1).double()
    near = distance <= 0.1 * (1 + 1e-6)
    found = round(outcome.metrics["found_rate"] * int(right.sum()))
    assert 0 < rows["success"].sum() < found <= changed.sum()
    assert torch.equal(rows["success"], changed & near) or targeted
    assert outcome.metrics["success_rate"] == int(rows["success"].sum()) / int(right.sum())
    assert outcome.metrics["violations"] == 0
    assert catalog_minimal.FMN.metrics <= set(outcome.metrics)
    assert read_adversarial(outcome.outputs["adversarial"].folder).budget is Budget.MINIMAL
    if not targeted:
        assert found == changed.sum()
        assert outcome.metrics["mean_distance"] == pytest.approx(float(distance[changed].mean()))
        assert outcome.metrics["median_distance"] == pytest.approx(float(distance[changed].quantile(0.5)))
        rho = float((distance / x.norm(dim=1))[changed].mean())
        assert outcome.metrics["relative_distance"] == pytest.approx(rho)


def test_nothing_found_is_no_distance(context: Context) -> None:
    _, outcome = complete(context, catalog.PGD, 16, steps=1, epsilon=0.0)
    assert outcome.metrics["found_rate"] == outcome.metrics["median_distance"] == 0
    assert outcome.metrics["relative_distance"] == outcome.metrics["mean_distance"] == 0


def test_a_curve_in_one_stage(context: Context, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    sizes = [0.0, 0.05, 0.1, 0.2]
    rows, outcome = complete(context, catalog.FGSM, 16, epsilons=sizes, epsilon=0.2)
    fallen = torch.zeros(40, dtype=torch.bool)
    costs = 0
    for number, epsilon in enumerate(sizes):
        alone, _ = complete(again(context, number), catalog.FGSM, 16, epsilon=epsilon)
        fallen, costs = fallen | alone["success"], costs + int(alone["forwards"].sum())
        right = alone["clean_prediction"] == alone["y"]
        robust = int((right & ~fallen).sum()) / 40
        assert outcome.metrics[f"robust_accuracy_at_{epsilon:g}"] == robust
    assert outcome.metrics["robust_accuracy_at_0"] == outcome.metrics["clean_accuracy"]
    assert outcome.metrics["robust_accuracy_at_0.2"] == outcome.metrics["robust_accuracy"] > 0
    assert torch.equal(rows["success"], fallen)
    assert int(rows["forwards"].sum()) < costs
    found = read_adversarial(outcome.outputs["adversarial"].folder)
    assert found.settings["epsilons"] == sizes
    assert torch.equal(found.robust_at(0.2), found.robust)


def again(context: Context, number: int) -> Context:
    """The same inputs with a folder of their own."""
    scratch = context.scratch / str(number)
    scratch.mkdir()
    return Context(scratch, context.inputs, list(context._components.values()))


def test_a_curve_is_read_off_a_minimal_budget(context: Context) -> None:
    rows, outcome = complete(context, catalog_minimal.FMN, 16, norm="l2", epsilons=[0.05, 0.1, 0.3], epsilon=0.3)
    right = rows["clean_prediction"] == rows["y"]
    for epsilon in (0.05, 0.1, 0.3):
        near = right & (rows["adversarial_prediction"] != rows["y"]) & (rows["distance"] <= epsilon)
        assert outcome.metrics[f"robust_accuracy_at_{epsilon:g}"] == int((right & ~near).sum()) / 40
    plain, _ = complete(again(context, 1), catalog_minimal.FMN, 16, norm="l2", epsilon=0.3)
    assert torch.equal(plain["forwards"], rows["forwards"])


def test_epsilons_that_cannot_be_meant_are_refused() -> None:
    assert catalog.PGD.schema().parse({"epsilons": [0.1, "8/255", 0.3][:1]}).epsilon == 0.1
    assert catalog.PGD.schema().parse({"epsilons": ["1/255", "2/255"]}).epsilon == 2 / 255
    for values in ({"epsilons": [0.2, 0.1]}, {"epsilons": [0.1, 0.2], "epsilon": 0.1}, {"epsilons": []}, {}):
        with pytest.raises(ValueError, match="epsilon"):
            catalog.PGD.schema().parse(values)
    for values in ({"epsilons": 0.1}, {"epsilons": {"from": 0.1}}, {"epsilons": "0.1"}):
        with pytest.raises(ValueError, match="epsilons"):
            catalog.PGD.schema().parse(values)


def test_levels_and_batches(context: Context, held_out: tuple[Tensor, Tensor]) -> None:
    rows, outcome = complete(context, catalog.FGSM, 40, levels=5, epsilon=0.2, batch=7)
    x = held_out[0][:40]
    moved = rows["adversarial"] != x
    on_level = ((rows["adversarial"] * 5).round() / 5 - rows["adversarial"]).abs() < 1e-6
    assert (on_level | ~moved).all()
    assert moved.any()
    plain, before = complete(again(context, 1), catalog.FGSM, 40, epsilon=0.2)
    assert torch.equal(rows["unrounded_success"], plain["success"])
    assert outcome.metrics["success_rate_unrounded"] == before.metrics["success_rate"]
    assert outcome.metrics["success_rate"] != before.metrics["success_rate"]
    assert outcome.metrics["violations"] == 0


@pytest.mark.parametrize("attack", [catalog.PGD, catalog.FGSM])
def test_a_pooled_chunk_is_that_of_its_batches(context: Context, attack: Attack[Any]) -> None:
    one, _ = complete(context, attack, 40, batch=8, epsilon=0.2)
    other, _ = complete(again(context, 1), attack, 8, batch=8, epsilon=0.2)
    assert torch.equal(one["success"], other["success"])
    assert torch.equal(one["first_step"], other["first_step"])
    assert torch.allclose(one["adversarial"], other["adversarial"], atol=1e-5)


def test_a_region_needs_pictures(context: Context) -> None:
    with pytest.raises(StageFailed, match="does not lie in"):
        open_job(context, catalog.PGD, settings_of(catalog.PGD, region=[0, 0, 2, 2]))


def test_a_set_of_the_format_before_still_reads(context: Context, tmp_path: Path) -> None:
    _, outcome = complete(context, catalog.FGSM, 64)
    folder = outcome.outputs["adversarial"].folder
    tensors = load_file(folder / "adversarial.safetensors")
    added = ("forwards", "backwards", "first_step", "unrounded_success", "smallest_epsilon")
    (tmp_path / "old").mkdir()
    save_file({k: v for k, v in tensors.items() if k not in added}, tmp_path / "old" / "adversarial.safetensors")
    record = json.loads((folder / "adversarial.json").read_text()) | {"format": "adversarial/1"}
    (tmp_path / "old" / "adversarial.json").write_text(json.dumps(record))
    new, old = read_adversarial(folder), read_adversarial(tmp_path / "old")
    assert torch.equal(new.smallest_epsilon, old.smallest_epsilon)
    assert torch.equal(new.forwards, old.forwards)
    assert torch.equal(old.unrounded_success, old.success)
    assert old.first_step.eq(-1).all()
    assert old.backwards.eq(-1).all()
