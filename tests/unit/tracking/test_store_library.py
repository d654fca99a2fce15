"""What the sink process reads of a store: outputs, files, and models built by the plugins that are installed."""

from pathlib import Path

import pytest
import torch

from advorch.artifacts import ArtifactType, Output, Signature
from advorch.kit.codecs import ModelRecord, write_model
from advorch.registry.discovery import discover
from advorch.session.mlflow_sink import StoreLibrary, main
from advorch.store.manifest import Manifest
from advorch.store.opening import open_store
from advorch.threat import Access
from advorch.tracking.outbox import MlflowJob

SIGNATURE = Signature(shape=(1, 8, 8), classes=("a", "b", "c"), box=(0.0, 1.0))


def test_a_stored_model_is_built_as_it_was(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    component = discover().component("model/mlp")
    net = component.load()(component.params.parse({}), SIGNATURE).eval()
    record = ModelRecord(component="model/mlp", params={}, signature=SIGNATURE, access=Access.GRADIENTS, label="plain")
    write_model(tmp_path / "model", net, record)
    store = open_store(str(tmp_path / "store"))
    artifact = store.put_output(Output(type=ArtifactType.MODEL, folder=tmp_path / "model"))
    store.commit(Manifest(key="a" * 64, parts={}, component="train/erm", outputs={"model": artifact}))
    library = StoreLibrary(MlflowJob(uri="", experiment="", store=store.url))
    assert library.outputs("b" * 64) == {}
    module, shape = library.build(library.outputs("a" * 64)["model"])
    x = torch.rand(4, 1, 8, 8)
    assert shape == (1, 8, 8)
    assert torch.equal(module.eval()(x), net(x))


def test_a_folder_without_a_job_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path)])
    assert ended.value.code == 2
