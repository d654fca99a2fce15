"""A user's own architecture, weights and classes."""

from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from advorch.api import Access, Signature
from advorch.errors import ErrorClass, StageFailed
from advorch_builtins.models import catalog, imported
from advorch_builtins.models.catalog import ImportedParams

ABC = Signature(shape=(1, 2, 2), classes=("a", "b", "c"), box=(0.0, 1.0))


def params(**values: object) -> ImportedParams:
    return ImportedParams.parse({"target": "advorch_builtins.models.maxout:Maxout"} | values)


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> str:
    """A module on images of 2x2 pixels that lies on the import path."""
    import types

    made = types.ModuleType("user_nets")

    def flat(outputs: int = 3) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(4, outputs))

    made.flat = flat  # type: ignore[attr-defined]
    made.seven = lambda: 7  # type: ignore[attr-defined]
    made.deep = lambda: nn.Flatten(0)  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "user_nets", made)
    return "user_nets:flat"


def weights(outputs: int = 3) -> OrderedDict[str, torch.Tensor]:
    return OrderedDict({"1.weight": torch.arange(4.0 * outputs).view(outputs, 4), "1.bias": torch.zeros(outputs)})


@pytest.mark.parametrize("form", ["safetensors", "torch", "lightning", "distributed"])
def test_weights_are_read_in_every_plain_form(net: str, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"weights.{'safetensors' if form == 'safetensors' else 'pt'}"
    if form == "safetensors":
        save_file(weights(), path)
    else:
        wrapped = {"lightning": {"state_dict": weights()}, "torch": weights()}
        torch.save(wrapped.get(form, {f"module.{name}": value for name, value in weights().items()}), path)
    module = imported.build(params(target=net, weights=str(path)), ABC)
    assert module(torch.ones(1, 1, 2, 2)).tolist() == [[6.0, 22.0, 38.0]]


def test_normalisation_is_inside(net: str, tmp_path: Path) -> None:
    save_file(weights(), tmp_path / "w.safetensors")
    given = params(target=net, weights=str(tmp_path / "w.safetensors"), mean=[0.5], std=[0.25])
    assert imported.build(given, ABC)(torch.ones(1, 1, 2, 2)).tolist() == [[12.0, 44.0, 76.0]]
    with pytest.raises(StageFailed, match="the data has 1 channels"):
        imported.build(params(target=net, mean=[0.1, 0.2]), ABC)


def test_outputs_are_put_into_the_order_of_the_data(net: str, tmp_path: Path) -> None:
    save_file(weights(4), tmp_path / "w.safetensors")
    (tmp_path / "names").write_text("x\nc\na\nb\n")
    given = {"target": net, "arguments": {"outputs": 4}, "weights": str(tmp_path / "w.safetensors")}
    module = imported.build(params(**given, classes=str(tmp_path / "names")), ABC)
    assert module(torch.ones(1, 1, 2, 2)).tolist() == [[38.0, 54.0, 22.0]]


def test_built_again_without_its_files_it_takes_order_and_weights_from_an_artifact(net: str, tmp_path: Path) -> None:
    (tmp_path / "names").write_text("x\nc\na\nb\n")
    first = imported.build(params(target=net, arguments={"outputs": 4}, classes=str(tmp_path / "names")), ABC)
    again = imported.build(params(target=net, arguments={"outputs": 4}), ABC)
    x = torch.rand(2, 1, 2, 2)
    with pytest.raises(StageFailed, match="has 4 outputs, the data has 3 classes"):
        again(x)
    again.load_state_dict(first.state_dict())
    assert torch.equal(first(x), again(x))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"target": "no_such_package:Net"}, "cannot build"),
        ({"target": "user_nets:missing"}, "cannot build"),
        ({"arguments": {"width": 3}}, "cannot build"),
        ({"target": "user_nets:seven"}, "made a int, not a torch module"),
        ({"target": "user_nets:deep"}, "does not return one row of logits"),
        ({"weights": "nowhere.pt"}, "nowhere.pt is missing"),
        ({"classes": "nowhere.txt"}, "nowhere.txt is missing"),
    ],
)
def test_faults_are_one_line(net: str, change: dict[str, object], fault: str) -> None:
    with pytest.raises(StageFailed, match=fault) as caught:
        imported.build(params(**{"target": net, **change}), ABC)
    assert caught.value.error_class is ErrorClass.USER
    assert "\n" not in caught.value.message


def test_samples_that_do_not_fit_are_said(net: str) -> None:
    with pytest.raises(StageFailed, match="does not take samples of shape"):
        imported.build(params(target=net), Signature(shape=(5,), classes=("a", "b", "c")))


def test_weights_that_do_not_fit_or_are_none(net: str, tmp_path: Path) -> None:
    save_file({"other": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(StageFailed, match="does not fit the architecture"):
        imported.build(params(target=net, weights=str(tmp_path / "w.safetensors")), ABC)
    (tmp_path / "w.safetensors").write_bytes(b"garbage!")
    with pytest.raises(StageFailed, match="holds no plain state dict"):
        imported.build(params(target=net, weights=str(tmp_path / "w.safetensors")), ABC)


def test_a_pickled_module_is_not_run(net: str, tmp_path: Path) -> None:
    torch.save(nn.Linear(1, 1), tmp_path / "w.pt")
    with pytest.raises(StageFailed, match="holds no plain state dict"):
        imported.build(params(target=net, weights=str(tmp_path / "w.pt")), ABC)


def test_access_and_files_are_told_without_building() -> None:
    given = params(access="labels", weights="w.pt", classes="names")
    assert catalog.IMPORTED.grants(given) is Access.LABELS
    assert [path.name for path in catalog.IMPORTED.files(given)][:2] == ["w.pt", "names"]


def test_the_code_of_the_architecture_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "lone_net.py").touch()
    (tmp_path / "net_pack/deep").mkdir(parents=True)
    for name in ("__init__.py", "deep/__init__.py", "deep/blocks.py"):
        (tmp_path / "net_pack" / name).touch()

    def names(target: str) -> list[str]:
        return [path.name for path in catalog.IMPORTED.files(params(target=target))]

    assert names("lone_net:Net") == ["lone_net.py"]
    assert names("net_pack.deep.blocks:Net") == ["__init__.py", "__init__.py", "blocks.py"]
    with pytest.raises(FileNotFoundError, match="no module called 'nowhere' can be imported"):
        names("nowhere.to.be:Net")
