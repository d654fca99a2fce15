"""From a fit through its artifact to samples that it has not seen, as the engine runs them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.artifacts import Artifact, ArtifactType, DataInput, Input, Signature, StoredInput
from advorch.components import Dataset, Model
from advorch.errors import FormatTooNew, StageFailed, Stopped
from advorch.hosts import attack as attack_host
from advorch.hosts import perturbation as host
from advorch.kit.codecs import ModelRecord, write_model
from advorch.kit.data import Data
from advorch.kit.perturbation.fitted import Fitted, Kind, read_fitted, write_fitted
from advorch.params import Params
from advorch.testing.fakes import FakeContext, registry_of, stripes
from advorch.threat import Access
from advorch_builtins.attacks.catalog_fitted import APPLY, PATCH, UNIVERSAL

SIGNATURE = Signature(shape=(6,), classes=("ring", "inside", "apart"), box=(0.0, 1.0))


def build(params: Params, signature: Signature) -> nn.Module:
    return nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 3))


class Site:
    """A trained model and its samples on disk, and contexts that see them."""

    def __init__(self, folder: Path, module: nn.Module, data: Data) -> None:
        self._folder = folder
        self._data = data
        net = Model(name="net", summary="", params=Params, load=lambda: build)
        points = Dataset(name="points", summary="", params=Params, load=lambda: lambda params, split: data)
        self._components = registry_of(net, points, APPLY, UNIVERSAL, PATCH)
        self.model(module, Access.GRADIENTS)

    def model(self, module: nn.Module, access: Access) -> None:
        record = ModelRecord(component="model/net", params={}, signature=SIGNATURE, access=access, label="plain")
        write_model(self._folder / "model", module, record)

    def context(self, name: str, perturbation: Path | None = None, **options: Any) -> FakeContext:
        model = StoredInput(artifact=Artifact(type=ArtifactType.MODEL, files={}), folder=self._folder / "model")
        data = DataInput(uses="points", params={}, split="test", digest="data-digest")
        inputs: dict[str, tuple[Input, ...]] = {"model": (model,), "data": (data,)}
        if perturbation:
            artifact = Artifact(type=ArtifactType.PERTURBATION, files={})
            inputs["perturbation"] = (StoredInput(artifact=artifact, folder=perturbation),)
        scratch = self._folder / name
        scratch.mkdir(exist_ok=True)
        return FakeContext(scratch=scratch, inputs=inputs, components=self._components, **options)


@pytest.fixture
def site(tmp_path: Path, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> Site:
    x, y = held_out
    data = Data(x=x, y=y, ids=1000 - torch.arange(len(x)), classes=SIGNATURE.classes, box=SIGNATURE.box)
    return Site(tmp_path, trained, data)


def settings(**values: Any) -> Any:
    return UNIVERSAL.schema().parse(
        {"epsilon": 0.3, "method": "sgd", "steps": 24, "batch": 16, "checkpoint_every": 5} | values
    )


def test_a_fit_hands_over_what_can_be_read_back_and_applied(site: Site, trained: nn.Module) -> None:
    outcome = host.run(site.context("fit"), UNIVERSAL, settings())
    output = outcome.outputs["perturbation"]
    fitted = read_fitted(output.folder)
    assert output.type is ArtifactType.PERTURBATION
    assert UNIVERSAL.metrics == set(outcome.metrics)
    assert (fitted.component, fitted.data, fitted.label, fitted.target) == (
        "attack/universal",
        "data-digest",
        "plain",
        None,
    )
    assert fitted.settings["steps"] == 24
    assert fitted.name == "universal linf eps 0.3 for plain"

    job = attack_host.open_job(site.context("apply", output.folder), APPLY, APPLY.schema().parse({"epsilon": 0.3}))
    rows = job.map(0, 40)
    right = rows["clean_prediction"] == rows["y"]
    x = job._data.x[:40]
    assert torch.allclose(rows["adversarial"][right], (x + fitted.print.pattern).clamp(0, 1)[right])
    assert float(rows["success"][right].double().mean()) > 0.2
    assert rows["queries"].eq(0).all()
    half = attack_host.open_job(site.context("half", output.folder), APPLY, APPLY.schema().parse({"epsilon": 0.1}))
    assert float((half.map(0, 40)["adversarial"] - x).abs().max()) <= 0.1 * (1 + 1e-6)


@pytest.mark.parametrize("stop", [5, 15, 20])
def test_a_stopped_fit_goes_on_to_the_same_bytes(site: Site, stop: int) -> None:
    whole = host.run(site.context("whole"), UNIVERSAL, settings())
    context = site.context("halves", stop_at=stop)
    with pytest.raises(Stopped):
        host.run(context, UNIVERSAL, settings())
    context.stop_at = None
    resumed = host.run(context, UNIVERSAL, settings())
    for name in ("perturbation.safetensors", "perturbation.json"):
        first, second = ((outcome.outputs["perturbation"].folder / name).read_bytes() for outcome in (whole, resumed))
        assert first == second
    assert whole.metrics == resumed.metrics


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"target": "insid"}, "no class 'insid'"),
        ({"target": 3}, "no class '3'"),
        ({"target": "²"}, "no class '²'"),
        ({"source": "ring", "target": 0}, "same class"),
    ],
)
def test_classes_that_are_not_there(site: Site, values: dict[str, Any], message: str) -> None:
    with pytest.raises(StageFailed, match=message) as caught:
        host.run(site.context("fit"), UNIVERSAL, settings(**values))
    assert caught.value.hint is not None


def test_classes_by_name_and_by_number(site: Site) -> None:
    outcomes = [
        host.run(site.context(f"fit{name}"), UNIVERSAL, settings(target=name, steps=2)) for name in ("inside", 1)
    ]
    fitted = [read_fitted(outcome.outputs["perturbation"].folder) for outcome in outcomes]
    assert [one.target for one in fitted] == [1, 1]
    assert torch.equal(fitted[0].print.pattern, fitted[1].print.pattern)
    assert fitted[0].name == "universal linf eps 0.3 to inside for plain"


def test_only_the_source_is_fitted_on(site: Site) -> None:
    with pytest.raises(StageFailed, match="target"):
        host.run(site.context("patch"), PATCH, PATCH.schema().parse({}))
    outcome = host.run(site.context("fit"), UNIVERSAL, settings(source="ring", samples=3, steps=2))
    assert read_fitted(outcome.outputs["perturbation"].folder).source == 0


def test_a_closed_model_and_a_gang_are_refused(site: Site, trained: nn.Module) -> None:
    with pytest.raises(StageFailed, match="one process"):
        host.run(site.context("gang", world_size=2), UNIVERSAL, settings())
    site.model(trained, Access.LABELS)
    with pytest.raises(StageFailed, match="grants labels"):
        host.run(site.context("closed"), UNIVERSAL, settings())


def test_apply_refuses_what_does_not_fit(site: Site, tmp_path: Path) -> None:
    write_fitted(tmp_path / "image", stripes((1, 8, 8), 0.1))
    job = attack_host.open_job(site.context("apply", tmp_path / "image"), APPLY, APPLY.schema().parse({"epsilon": 0.1}))
    with pytest.raises(StageFailed, match="shape"):
        job.map(0, 4)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_is_read_back_as_it_was_written(kind: Kind, tmp_path: Path) -> None:
    written = stripes((3, 8, 8), 0.1, kind=kind)
    write_fitted(tmp_path, written)
    found = read_fitted(tmp_path)
    assert plain(found) == plain(written)
    record = json.loads((tmp_path / "perturbation.json").read_text())
    (tmp_path / "perturbation.json").write_text(json.dumps(record | {"format": "perturbation/9"}))
    with pytest.raises(FormatTooNew):
        read_fitted(tmp_path)


def plain(fitted: Fitted) -> tuple[Any, ...]:
    printed = fitted.print
    tensors = [None if part is None else part.tolist() for part in (printed.pattern, printed.mask, printed.original)]
    names = ("component", "settings", "signature", "target", "source", "label", "model", "data")
    return tensors, printed.kind, printed.how, [getattr(fitted, name) for name in names]
